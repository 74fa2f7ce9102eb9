"""The graph: what happens between a prompt and its picture."""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph

from imagewright.graph import nodes, routing, talk
from imagewright.graph.parts import Parts
from imagewright.graph.state import State

DRAWING = ("categorize", "select_flow", "plan_layout", "generate", "critique", "refine", "deliver")
TALKING = ("recall", "interpret", "ask", "answer")


def build() -> StateGraph[State, Parts, State, State]:
    """The state machine, without checkpointer: compile it with one, and run it with ``context=Parts(...)``."""
    graph: StateGraph[State, Parts, State, State] = StateGraph(State, context_schema=Parts)
    for module, names in ((talk, TALKING), (nodes, DRAWING)):
        for name in names:
            graph.add_node(name, getattr(module, name))

    graph.add_edge(START, "recall")
    graph.add_edge("recall", "interpret")
    graph.add_conditional_edges("interpret", routing.after_interpret)
    graph.add_conditional_edges("ask", routing.after_ask)
    graph.add_edge("answer", END)
    graph.add_edge("categorize", "select_flow")
    graph.add_edge("select_flow", "plan_layout")
    graph.add_edge("plan_layout", "generate")
    graph.add_conditional_edges("generate", routing.after_generate)
    graph.add_conditional_edges("critique", routing.after_critique)
    graph.add_edge("refine", "generate")
    graph.add_edge("deliver", END)
    return graph


def graph_mermaid() -> str:
    """The graph as a Mermaid diagram, drawn by LangGraph from the code above."""
    return build().compile().get_graph().draw_mermaid()
