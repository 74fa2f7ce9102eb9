"""Pages of flows: every filter, pages that add up, and nothing read that is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import pytest

from imagewright.errors import BadInput
from imagewright.needs import Need
from imagewright.retrieval import listing, store
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.listing import FlowFilter, FlowPage, list_page
from imagewright.schemas import Flow, Problem, Readiness

NO = Readiness(problems=(Problem(kind="model", name="x", remedy="put it there"),))


class OnlyMini:
    """A backend that has mini and nothing else; it refuses flows of more than 90 steps, which no need tells."""

    name = "only-mini"

    def __init__(self) -> None:
        self.asked = 0

    def missing(self, needs: Sequence[Need]) -> tuple[Readiness, ...]:
        """Whether a need names mini."""
        return tuple(Readiness() if any(value == "mini" for _, value in need.files) else NO for need in needs)

    def check(self, flow: Flow) -> Readiness:
        """The same, and the steps."""
        self.asked += 1
        fits = flow.card.base_model == "mini" and flow.graph["5"]["inputs"]["steps"] <= 90
        return Readiness() if fits else NO


class Slow(OnlyMini):
    """One that answers flow by flow."""

    missing = None  # type: ignore[assignment]


@pytest.fixture
def filled(index: FlowIndex, kit: ModuleType) -> FlowIndex:
    """Twelve flows: eight on mini, of which one is refused by check alone, three on SDXL, one video."""
    flows = [kit.flow(f"mini-{n}", steps=n + 1, description=f"castle {n}") for n in range(7)]
    flows.append(kit.flow("mini-slow", steps=99, description="Ölbild einer 100%_Burg"))
    flows += [kit.flow(f"xl-{n}", steps=20 + n, model="sd_xl_base_1.0.safetensors") for n in range(3)]
    video = kit.flow("film", steps=50, model="wan.safetensors")
    flows.append(video.model_copy(update={"card": video.card.model_copy(update={"kind": "video", "tags": ("Fox",)})}))
    index.add_many(flows)
    return index


def names(page: FlowPage) -> list[str]:
    return [each.flow.id for each in page.flows]


def listed(index: FlowIndex, limit: int = 100, offset: int = 0, backend: object = None, **wanted: object) -> FlowPage:
    return list_page(index, FlowFilter.model_validate(wanted), backend or OnlyMini(), limit, offset)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"kind": "video"}, ["film"]),
        ({"model": "sdxl"}, ["xl-0", "xl-1", "xl-2"]),
        ({"model": "xl_base"}, ["xl-0", "xl-1", "xl-2"]),
        ({"model": "xl%base"}, []),
        ({"search": "castle 3"}, ["mini-3"]),
        ({"search": "CASTLE 3 mini"}, ["mini-3"]),
        ({"search": "fox"}, ["film"]),
        ({"search": "xl-2"}, ["xl-2"]),
        ({"search": "ölbild"}, ["mini-slow"]),
        ({"search": "100%_burg"}, ["mini-slow"]),
        ({"search": "100%burg"}, []),
        ({"search": "KSampler"}, []),
        ({"search": "'; DROP TABLE flows; --"}, []),
        ({"runnable": False, "search": "burg"}, ["mini-slow"]),
        ({"runnable": True, "search": "castle", "model": "mini"}, [f"mini-{n}" for n in range(7)]),
    ],
)
def test_filters_fit_together(filled: FlowIndex, wanted: dict[str, object], found: list[str]) -> None:
    page = listed(filled, **wanted)
    assert names(page) == found
    assert (page.total, page.next) == (len(found), None)


@pytest.mark.parametrize("wanted", [{}, {"runnable": True}, {"runnable": False}, {"search": "castle"}])
def test_pages_add_up(filled: FlowIndex, wanted: dict[str, object]) -> None:
    whole, offset, seen = listed(filled, **wanted), 0, []
    while True:
        page = listed(filled, 2, offset, **wanted)
        assert page.total == whole.total
        seen += names(page)
        if page.next is None:
            break
        offset = page.next
    assert seen == names(whole)
    assert len(seen) == whole.total
    assert names(listed(filled, 2, 1000, **wanted)) == []
    assert listed(filled, 2, 1000, **wanted).total == whole.total


def test_of_a_large_index_only_the_page_is_read(filled: FlowIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "EXACT_UP_TO", 3)
    read: list[str] = []
    flow_from = store.flow_from

    def noted(row: object) -> Flow:
        flow = flow_from(row)  # type: ignore[arg-type]
        read.append(flow.id)
        return flow

    monkeypatch.setattr(store, "flow_from", noted)
    backend = OnlyMini()
    page = listed(filled, 3, 5, backend, runnable=True)
    assert names(page) == ["mini-5", "mini-6"]  # the third of the page is one that check alone refuses
    assert (page.total, page.next) == (8, None)
    assert read == ["mini-5", "mini-6", "mini-slow"]
    assert backend.asked == 3


def test_a_backend_that_answers_flow_by_flow_is_asked_about_each(filled: FlowIndex) -> None:
    assert names(listed(filled, backend=Slow(), runnable=True)) == [f"mini-{n}" for n in range(7)]


def test_a_flow_that_is_switched_off_is_listed_as_such(filled: FlowIndex) -> None:
    filled.switch("mini-3", on=False)
    assert [each.flow.id for each in listed(filled).flows if not each.enabled] == ["mini-3"]


@pytest.mark.parametrize(
    ("options", "says"),
    [({"kind": "song"}, "no kind 'song'"), ({"limit": 0}, "a page of 0"), ({"offset": -1}, "from -1 on")],
)
def test_what_cannot_be_listed_is_said(filled: FlowIndex, options: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        listed(filled, **options)  # type: ignore[arg-type]
    assert caught.value.remedy
