"""The scripted model says what its file holds, to everyone in turn or to each prompt its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from imagewright.agents.llm.prompt_files import prompt
from imagewright.agents.llm.scripted import ScriptedChatModel


def test_answers_come_in_order_and_end() -> None:
    chat = ScriptedChatModel(answers=["one", "two"])
    assert [str(chat.invoke("hello").content) for _ in range(2)] == ["one", "two"]
    with pytest.raises(EOFError):
        chat.invoke("again")
    assert chat.heard == ("hello", "hello", "again")


def test_each_prompt_may_have_answers_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"categorizer": [{"labels": []}], "": ["anything"], "layout_lmd": ["Objects: []"]}))
    chat = ScriptedChatModel.from_file(path)

    def said(name: str) -> str:
        text = prompt(name, prompt="a cat", minimum="0")
        return str(chat.invoke([SystemMessage(text.rules), HumanMessage(text.request)]).content)

    assert said("layout_lmd") == "Objects: []"
    assert said("categorizer") == '{"labels": []}'
    assert said("layout") == "anything"
    with pytest.raises(EOFError):
        said("layout")


def test_pictures_are_counted() -> None:
    chat = ScriptedChatModel(answers=["seen"])
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}
    chat.invoke([HumanMessage([{"type": "text", "text": "look"}, picture, picture])])
    assert chat.pictures == (2,)
