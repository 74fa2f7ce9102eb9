"""The graph: what happens between a prompt and its picture."""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph

from imagewright.graph import nodes, routing
from imagewright.graph.parts import Parts
from imagewright.graph.state import State

NODES = (
    "recall", "interpret", "categorize", "select_flow", "plan_layout", "generate", "critique", "refine", "deliver",
)  # fmt: skip


def build() -> StateGraph[State, Parts, State, State]:
    """The state machine, without checkpointer: compile it with one, and run it with ``context=Parts(...)``."""
    graph: StateGraph[State, Parts, State, State] = StateGraph(State, context_schema=Parts)
    for name in NODES:
        graph.add_node(name, getattr(nodes, name))

    graph.add_edge(START, "recall")
    graph.add_edge("recall", "interpret")
    graph.add_conditional_edges("interpret", routing.after_interpret)
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
