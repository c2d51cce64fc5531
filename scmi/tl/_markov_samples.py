"""The samples that the Markov test compares: one early, and two late from separate wells."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from scmi._slots import check_column, check_values, rows_of_group, values_of
from scmi.typing import Index

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Sample", "early_wells_of", "samples_of"]


class Sample(NamedTuple):
    """One sample: its name in the result, and its rows."""

    name: str
    rows: Index


def samples_of(
    adata: "AnnData", time_key: str, times: Sequence[Any], replicate_key: str, wells: Sequence[Any] | None
) -> tuple[Sample, Sample, Sample]:
    """The early sample and the two late ones."""
    for name, key in (("time_key", time_key), ("replicate_key", replicate_key)):
        check_column(adata, name, key)
    if isinstance(times, str) or not isinstance(times, Collection) or len(times) != 2 or times[0] == times[1]:
        raise ValueError(f"`times` must name two different values of `.obs[{time_key!r}]`, got {times!r}.")
    time = adata.obs[time_key]
    check_values("times", times, f"`.obs[{time_key!r}]`", time)
    at = [rows_of_group(time, value) for value in times]
    well = adata.obs[replicate_key].iloc[at[1]]
    present = values_of(well)
    if wells is None:
        if len(present) != 2:
            raise ValueError(_not_two(replicate_key, times, present))
        wells = present
    if isinstance(wells, str) or not isinstance(wells, Collection) or len(wells) != 2 or wells[0] == wells[1]:
        raise ValueError(
            f"`wells` must name two different wells of time point {times[1]!r} in `.obs[{replicate_key!r}]`, which has "
            f"{present}; got {wells!r}."
        )
    check_values("wells", wells, f"`.obs[{replicate_key!r}]` at time point {times[1]!r}", well)
    late, sister = (Sample(f"{times[1]}, well {value}", at[1][rows_of_group(well, value)]) for value in wells)
    return Sample(str(times[0]), at[0]), late, sister


def early_wells_of(adata: "AnnData", early: Sample, replicate_key: str) -> tuple[Sample, Sample] | None:
    """The two early wells of most cells, if there are two."""
    well = adata.obs[replicate_key].iloc[early.rows]
    count = well.value_counts()
    largest = sorted(count[count > 0].index[:2], key=str)
    if len(largest) < 2:
        return None
    first, second = (Sample(f"{early.name}, well {value}", early.rows[rows_of_group(well, value)]) for value in largest)
    return first, second


def _not_two(replicate_key: str, times: Sequence[Any], present: list[Any]) -> str:
    """Why there are no two wells to take sisters from, and what to do."""
    column, (early, late) = f"`.obs[{replicate_key!r}]`", times
    if len(present) > 2:
        return f"{column} has {len(present)} wells at time point {late!r}: {present}; pick two with `wells=`."
    found = f"one replicate only, {present[0]!r}" if present else "no replicates: it is missing in all cells"
    return (
        f"{column} has {found}, at time point {late!r}. The Markov test compares sisters that grew up in two separate "
        f"wells (or animals): pass the column that tells these apart as `replicate_key`. Without replicates it can't "
        f"be made; what {early!r} tells about {late!r} is measured by `sm.tl.lmi`."
    )
