"""Reading a prompt by rules: from its words to the groups, relations and styles that it states."""
