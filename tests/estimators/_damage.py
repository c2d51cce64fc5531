"""Saved models that are damaged or crafted, at random from a seed, and what loading them comes to."""

import copy
import io
import json
import math
import warnings
import zipfile
from collections import Counter

import numpy as np

import scmi as sm
from scmi._archive import write_archive
from scmi.estimators import Settings

SETTINGS = {
    "linear": Settings(hidden=(8,), max_steps=1),
    "kernel of scores": Settings(hidden=(8,), max_steps=1),
    "network": Settings(closed_form=False, n_components=None, hidden=(8,), max_steps=10, cross_fit=False),
}
# Values of which one at least is of the wrong type or out of range wherever it is put.
ODD = (None, "text", -1, 10**30, 1e300, math.inf, [], {}, [1], [None], "\ud800", 0.5)


def fitted_models(folder):
    """One model of each family: its file, and what it says of some pairs."""
    for kind, settings in SETTINGS.items():
        drawn = sm.datasets.gaussian(80, 6, bits=1.0, rng=0)
        # Nothing linear joins a square to what it is of.
        x, y = (
            (drawn.x * [1, 0, 0, 0, 0, 0], drawn.x**2 * [1, 0, 0, 0, 0, 0])
            if kind.startswith("kernel")
            else (drawn.x, drawn.y)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = sm.LMI(preset=settings, n_splits=1, n_latent=2, n_permutations=9, progress=False).fit(x, y)
        assert model.folds_[0].model.kind == kind, model.folds_[0].model.kind
        model.save(folder / kind)
        yield (folder / kind).read_bytes(), (x[:20], y[:20]), numbers_of(model, x[:20], y[:20])


def numbers_of(model, x, y):
    """All that a model is asked for."""
    result = model.result_
    return [
        model.pmi(x, y),
        model.score_pairs(x[:5], y),
        *model.transform(x, y),
        model.predict_y(x),
        model.predict_x(y),
        np.array([result.mi, result.mi_ksg, result.se, *result.ci]),
        result.pmi,
    ]


def fuzz(folder, n, seed):
    """Load n files; how often each kind of damage was refused or did no harm, and what went wrong."""
    models, rng = list(fitted_models(folder)), np.random.default_rng(seed)
    outcomes, wrong = Counter(), []
    path = folder / "damaged.npz"
    for i in range(n):
        content, data, expected = models[i % len(models)]
        damage = DAMAGES[i // len(models) % len(DAMAGES)]
        damage(content, path, rng)
        if path.read_bytes() == content:
            continue
        outcome = outcome_of(path, data, expected)
        outcomes[damage.__name__, outcome if outcome in ("refused", "same") else "wrong"] += 1
        if outcome not in ("refused", "same"):
            wrong.append((i, damage.__name__, outcome))
    return outcomes, wrong


def outcome_of(path, data, expected):
    """Refused in the right way, loaded without harm, or what else."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The model was fitted with device")
            warnings.filterwarnings("ignore", "overflow encountered in cast")
            found = numbers_of(sm.LMI.load(path), *data)
    except ValueError as error:
        told = str(path) in str(error) and ("can't be loaded" in str(error) or "of version" in str(error))
        return "refused" if told else f"unclear: {error}"
    except Exception as error:  # noqa: BLE001 — any other is what is looked for
        return f"leaked: {error!r}"
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(found, expected, strict=True))
    return "same" if same else "another number"


# Damage to bytes


def flipped(content, path, rng):
    content = bytearray(content)
    for at in rng.integers(len(content) * 8, size=rng.integers(1, 9)):
        content[at // 8] ^= 1 << at % 8
    path.write_bytes(content)


def flipped_directory(content, path, rng):
    """Where a zip file says what it holds, which is little of it."""
    content = bytearray(content)
    start = content.index(b"PK\x01\x02")
    for at in rng.integers(start * 8, len(content) * 8, size=rng.integers(1, 5)):
        content[at // 8] ^= 1 << at % 8
    path.write_bytes(content)


def flipped_headers(content, path, rng):
    """Where an array says what it is."""
    content = bytearray(content)
    starts = [i for i in range(len(content)) if content.startswith(b"\x93NUMPY", i)]
    at = int(rng.choice(starts)) + int(rng.integers(80))
    content[at] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def truncated(content, path, rng):
    path.write_bytes(content[: rng.integers(len(content))])


def inserted(content, path, rng):
    at, more = rng.integers(len(content) + 1), rng.bytes(rng.integers(1, 100))
    path.write_bytes(content[:at] + more + content[at:])


def cut_out(content, path, rng):
    a, b = np.sort(rng.integers(len(content), size=2))
    path.write_bytes(content[:a] + content[b:])


def overwritten(content, path, rng):
    at, n = rng.integers(len(content)), int(rng.integers(1, 500))
    path.write_bytes((content[:at] + bytes(n) + content[at + n :])[: len(content)])


# Damage to members, the checksum being that of before


def repacked(members, path, packing=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packing) as file:
        for name, data in members:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                file.writestr(name, data)


def members_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return [(name, file.read(name)) for name in file.namelist()]


def dropped(content, path, rng):
    members = members_of(content)
    del members[rng.integers(len(members))]
    repacked(members, path)


def renamed(content, path, rng):
    members = members_of(content)
    at = rng.integers(len(members))
    members[at] = (f"other{at}.npy", members[at][1])
    repacked(members, path)


def swapped(content, path, rng):
    members = members_of(content)
    a, b = rng.choice(len(members), size=2, replace=False)
    members[a], members[b] = (members[a][0], members[b][1]), (members[b][0], members[a][1])
    repacked(members, path)


def doubled(content, path, rng):
    members = members_of(content)
    name = members[rng.integers(len(members))][0]
    repacked([*members, (name, members[rng.integers(len(members))][1])], path)


def packed(content, path, rng):
    """Also a member that would fill the memory."""
    members = members_of(content)
    members[rng.integers(len(members))] = (members[rng.integers(1, len(members))][0], bytes(10**7))
    repacked(members, path, zipfile.ZIP_DEFLATED)


# Crafted, with a checksum that is right


def parts_of(content):
    with np.load(io.BytesIO(content)) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "checksum"}
    return json.loads(str(arrays.pop("meta"))), arrays


def lacking(content, path, rng):
    meta, arrays = parts_of(content)
    name = str(rng.choice(list(arrays)))
    values = arrays.pop(name)
    if rng.random() < 0.5:
        arrays[f"{name}_"] = values
    write_archive(path, meta, arrays)


def reshaped(content, path, rng):
    meta, arrays = parts_of(content)
    name = str(rng.choice(list(arrays)))
    values = arrays[name]
    changes = [values[None], values[..., None], values[:0] if values.ndim else values.ravel()]
    if values.ndim:
        changes += [values[:-1], np.concatenate([values, values[-1:]])]
    if values.ndim == 2:
        changes += [values[:, :-1], np.hstack([values, values[:, :1]]), values.ravel()]
        changes += [values.T] if values.shape[0] != values.shape[1] else []
    arrays[name] = changes[rng.integers(len(changes))]
    write_archive(path, meta, arrays)


def recast(content, path, rng):
    meta, arrays = parts_of(content)
    name = str(rng.choice(list(arrays)))
    dtypes = [t for t in ("f2", "f4", "f8", "i2", "i8", "u8", "?", "U8", ">f8", ">i4") if t != arrays[name].dtype]
    wanted = str(rng.choice(dtypes))
    if wanted in ("i2", "i8") and arrays[name].dtype.kind == "i":
        wanted = "f4"
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arrays[name] = arrays[name].astype(wanted)
    write_archive(path, meta, arrays)


def poisoned(content, path, rng):
    """Values that can't be, in what a score is made of."""
    meta, arrays = parts_of(content)
    names = [n for n in arrays if not n.startswith(("information", "result/drift")) and "history" not in n]
    name = str(rng.choice([n for n in names if n.rpartition("/")[2] not in ("groups", "strata") and arrays[n].size]))
    # In the order that it has in memory, on which the last digits of a product depend.
    values = arrays[name].copy(order="K")
    bad = [-1, -7, 2**40] if values.dtype.kind == "i" else [np.nan, np.inf, -np.inf]
    bad += [-1.0] if name.endswith(("factor", "limit", "width")) else []
    values.flat[rng.integers(values.size)] = bad[rng.integers(len(bad))]
    arrays[name] = values
    write_archive(path, meta, arrays)


def edited(content, path, rng):
    """A value of the JSON that is another, missing or too many."""
    meta, arrays = parts_of(content)
    places = list(_places(meta))
    place, key = places[rng.integers(len(places))]
    kind = rng.integers(5)
    if kind == 0:
        del place[key]
    elif kind == 1 and isinstance(place, dict):
        place["more"] = ODD[rng.integers(len(ODD))]
    else:
        _edit(place, key, rng)
    write_archive(path, meta, arrays)


def _places(node):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _edit(place, key, rng):
    before = copy.deepcopy(place[key])
    odd = [value for value in ODD if value != before]
    place[key] = odd[rng.integers(len(odd))]


def raw(content, path, rng):
    """Members that NumPy would not write, or that would run code."""
    members = dict(members_of(content))
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    crafted = [
        npy(np.array([print], dtype=object)),
        _with_header(header),
        _with_header(header.replace("(1000000000000,)", "(-1,)")),
        _with_header(header.replace("'<f8'", "'|O'")),
        _with_header(header.replace("'<f8'", "[('a', '<f8')]")),
        _with_header("(" * 200),
        _with_header("__import__('os').abort()"),
        b"",
        b"\x93NUMPY",
        rng.bytes(100),
    ]
    texts = ["", "[1]", "null", "[" * 100_000, '{"format": "scmi.LMI"}', "{", "NaN", "1" * 5000]
    metas = [npy(np.array(text)) for text in texts] + [npy(np.frombuffer(b"\xff\xff\xff\xff" * 9, "<U9").reshape(()))]
    choice = int(rng.integers(len(crafted) + len(metas)))
    name = str(rng.choice(list(members))) if choice < len(crafted) else "meta.npy"
    members[name] = (crafted + metas)[choice]
    repacked(members.items(), path)


def npy(values):
    out = io.BytesIO()
    np.lib.format.write_array(out, values, allow_pickle=True)
    return out.getvalue()


def _with_header(header):
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(64)


DAMAGES = (
    *(flipped, flipped_directory, flipped_headers, truncated, inserted, cut_out, overwritten),
    *(dropped, renamed, swapped, doubled, packed),
    *(lacking, reshaped, recast, poisoned, edited, edited, edited, raw),
)
