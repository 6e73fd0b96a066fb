"""Labelled strides out of what OpenSim's tools wrote of a walk."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehip import load_model
from edgehip.channels import ANGLES, MOMENTS, MUSCLES, SIDES
from edgehip.errors import DatasetError
from edgehip_export.collect import PARTS
from edgehip_export.commands.adapt import adapt
from edgehip_export.commands.collect import collect
from edgehip_export.dataset import read_cohort
from edgehip_export.opensim_table import read_opensim_table
from tests.shared_data import SHARED, needs_shared_data
from tests.streams import synthetic_walk
from tests.workstation import refused, run

KG, M = 72.0, 1.8
WALK = synthetic_walk(9.0)
BODY = ("--subject", "P1", "--body-mass", KG, "--body-height", M)


def table(
    path: Path,
    names: Sequence[str],
    values: np.ndarray,
    said: str = "",
    time_s: np.ndarray = WALK.time_s,
) -> Path:
    """Write a table as OpenSim does."""
    lines = [path.stem, "version=1", f"nRows={len(values)}", said, "endheader"]
    lines.append("\t".join(["time", *names]))
    for at, row in zip(time_s[: len(values)], values, strict=True):
        lines.append("\t".join(f"{x:.8f}" for x in (at, *row)))
    path.write_text("\n".join(lines) + "\n")
    return path


def hips(side: str) -> np.ndarray:
    """Return moments (T, 3) in Nm that are a function of a leg's own angles."""
    hip = WALK.angles_deg[:, ANGLES.index(f"hip_flexion_{side}")]
    knee = WALK.angles_deg[:, ANGLES.index(f"knee_angle_{side}")]
    return KG * np.column_stack([-0.03 * (hip - 10.0), 0.01 * (knee - 40.0), 0.002 * hip])


@pytest.fixture
def angles(tmp_path: Path) -> Path:
    return table(tmp_path / "ik.mot", ANGLES, WALK.angles_deg, "inDegrees=yes")


@pytest.fixture
def moments(tmp_path: Path) -> Path:
    names = [f"{name}_{side}_moment" for side in SIDES for name in MOMENTS]
    return table(tmp_path / "id.sto", names, np.column_stack([hips(side) for side in SIDES]))


def forces(path: Path, model: int) -> Path:
    """Write forces whose muscles are once, twice, three times ... one function of the knee."""
    names, columns = [], []
    for side in SIDES:
        knee = WALK.angles_deg[:, ANGLES.index(f"knee_angle_{side}")]
        for place, muscle in enumerate(MUSCLES):
            parts = PARTS[muscle][min(model, len(PARTS[muscle]) - 1)]
            names += [f"{part}_{side}" for part in parts]
            columns += [KG * 0.01 * (1 + place) * (80 - knee) / len(parts)] * len(parts)
    return table(path, names, np.column_stack(columns))


def test_strides_of_both_legs_are_collected_with_their_own_hips(
    tmp_path: Path, angles: Path, moments: Path
) -> None:
    out = tmp_path / "out"
    result = run(collect, "--angles", angles, "--moments", moments, *BODY, "-o", out)
    assert result.exit_code == 0, result.output
    found = read_cohort(out / "moments.npz")
    assert len(found) >= 8
    assert found.people() == ("P1",)
    assert set(found.body_height_m.tolist()) == {np.float32(M)}
    assert found.stride_s is not None
    assert np.all(abs(found.stride_s - 1.1) < 0.15)
    hip, knee = found.angles_deg[..., 0], found.angles_deg[..., ANGLES.index("knee_angle_r")]
    wanted = np.stack([-0.03 * (hip - 10.0), 0.01 * (knee - 40.0), 0.002 * hip], -1)
    np.testing.assert_allclose(found.per_kg, wanted, atol=1e-5)
    # Every stride begins as its own leg lands, hip flexed: left ones are mirrored.
    assert np.all(hip[:, 0] > hip.mean(1) + 5.0)


@pytest.mark.parametrize("model", [0, 1])
def test_muscles_are_the_sum_of_their_parts(tmp_path: Path, angles: Path, model: int) -> None:
    out, so = tmp_path / "out", forces(tmp_path / "so.sto", model)
    result = run(collect, "--angles", angles, "--forces", so, *BODY, "-o", out)
    assert result.exit_code == 0, result.output
    found = read_cohort(out / "forces.npz")
    knee = found.angles_deg[..., [ANGLES.index("knee_angle_r")]]
    size = 0.01 * np.arange(1, 15) * (80 - knee)
    np.testing.assert_allclose(found.per_kg, size, rtol=1e-4)


def test_radians_and_knees_that_bend_the_other_way_are_mended_and_told(
    tmp_path: Path, angles: Path, moments: Path
) -> None:
    turned = WALK.angles_deg.copy()
    turned[:, [ANGLES.index("knee_angle_r"), ANGLES.index("knee_angle_l")]] *= -1.0
    names = [f"/jointset/somewhere/{name}/value" for name in ANGLES]
    other = table(tmp_path / "rad.sto", names, np.radians(turned), "inDegrees=no")
    first = run(collect, "--angles", angles, "--moments", moments, *BODY, "-o", tmp_path / "a")
    second = run(collect, "--angles", other, "--moments", moments, *BODY, "-o", tmp_path / "b")
    assert "turned into degrees" in second.output
    assert "knees bend by negative angles there; turned round" in second.output
    assert "turned" not in first.output
    one, two = (read_cohort(tmp_path / name / "moments.npz") for name in "ab")
    np.testing.assert_allclose(one.angles_deg, two.angles_deg, atol=1e-3)


def test_a_header_that_lies_about_degrees_is_told(
    tmp_path: Path, angles: Path, moments: Path
) -> None:
    words = ("--moments", moments, *BODY, "-o", tmp_path / "out")
    radians = table(tmp_path / "rad.mot", ANGLES, np.radians(WALK.angles_deg), "inDegrees=yes")
    line = refused(collect, DatasetError, "--angles", radians, *words)
    assert line.startswith(f"{radians}: its header says inDegrees=yes, and its knees move by 1.")
    assert line.endswith("write inDegrees=no there")
    degrees = table(tmp_path / "deg.mot", ANGLES, WALK.angles_deg, "inDegrees=no")
    line = refused(collect, DatasetError, "--angles", degrees, *words)
    assert line.endswith("write inDegrees=yes there")
    silent = table(tmp_path / "silent.mot", ANGLES, np.radians(WALK.angles_deg))
    result = run(collect, "--angles", silent, *words)
    assert result.exit_code == 0, result.output
    assert "radians turned into degrees" in result.output


def test_angles_whose_hips_have_another_sign_are_not_called_moments_that_have(
    tmp_path: Path, moments: Path
) -> None:
    turned = WALK.angles_deg.copy()
    turned[:, [ANGLES.index("hip_flexion_r"), ANGLES.index("hip_flexion_l")]] *= -1.0
    extending = table(tmp_path / "ext.mot", ANGLES, turned, "inDegrees=yes")
    words = ("--angles", extending, "--moments", moments, *BODY, "-o", tmp_path / "out")
    line = refused(collect, DatasetError, *words)
    assert line.startswith(f"{extending}, {moments}: the knees bend half a cycle off from the hips")
    assert "hip flexion is negative: multiply it by -1 (X is of --angles, Y of --moments" in line


def test_a_column_that_is_there_twice_is_not_chosen_from(
    tmp_path: Path, angles: Path, moments: Path
) -> None:
    twice = table(
        tmp_path / "twice.mot", [*ANGLES, ANGLES[0]], np.column_stack([WALK.angles_deg] * 2)[:, :11]
    )
    words = ("--moments", moments, *BODY, "-o", tmp_path / "out")
    line = refused(collect, DatasetError, "--angles", twice, *words)
    assert line == f"{twice}: names two columns hip_flexion_r: leave one out"


def test_text_may_be_saved_as_any_system_does(tmp_path: Path, angles: Path) -> None:
    whole = read_opensim_table(angles)
    for end, encoding in (("\r\n", "utf-8-sig"), ("\r", "utf-8"), ("\r\n", "utf-16")):
        other = tmp_path / "other.mot"
        other.write_bytes(angles.read_text().replace("\n", end).encode(encoding))
        read = read_opensim_table(other)
        assert (read.names, read.in_degrees) == (whole.names, whole.in_degrees)
        np.testing.assert_array_equal(read.values, whole.values)


def test_somebody_must_have_walked(tmp_path: Path, angles: Path, moments: Path) -> None:
    words = ("--angles", angles, "--moments", moments, *BODY[2:], "-o", tmp_path / "out")
    for nobody in ("", " ", "nan"):
        result = run(collect, *words, "--subject", nobody)
        assert result.exit_code == 2
        assert f"{nobody!r} names nobody: give an id" in result.output
    result = run(collect, *words, "--subject", "P1", "--right-contacts", "3,25", "4,375")
    assert "'3,25' is not a valid number: write a decimal point" in result.output


def test_contacts_that_are_told_are_those(tmp_path: Path, angles: Path, moments: Path) -> None:
    words = ("--angles", angles, "--moments", moments, *BODY, "-o", tmp_path / "out")
    result = run(collect, *words, "--right-contacts", 5.5, 3.25, 4.375, "--left-contacts", 2.0)
    assert result.exit_code == 0, result.output
    found = read_cohort(tmp_path / "out" / "moments.npz")
    assert found.stride_s is not None
    assert found.stride_s.tolist() == [1.125, 1.125]
    at = np.linspace(3.25, 4.375, 180)
    wanted = np.column_stack([np.interp(at, WALK.time_s, c) for c in WALK.angles_deg.T])
    np.testing.assert_allclose(found.angles_deg[0], wanted, atol=1e-4)


def test_contacts_told_in_other_units_are_said_to_be(
    tmp_path: Path, angles: Path, moments: Path
) -> None:
    words = ("--angles", angles, "--moments", moments, *BODY, "-o", tmp_path / "out")
    line = refused(collect, DatasetError, *words, "--right-contacts", 3250, 4375)
    assert line.startswith("no foot comes down between 0.00 and 8.99 s")
    assert "from 3250 to 4375; give them in seconds" in line


def test_a_walk_too_short_for_a_stride_is_said_to_be(tmp_path: Path, moments: Path) -> None:
    short = table(tmp_path / "short.mot", ANGLES, WALK.angles_deg[:150])
    words = ("--angles", short, "--moments", moments, *BODY, "-o", tmp_path / "out")
    line = refused(collect, DatasetError, *words)
    assert "no whole stride lies between 0.00 and 1.49 s" in line
    assert "--right-contacts and --left-contacts tell them" in line
    assert not (tmp_path / "out" / "moments.npz").exists()


def test_a_leg_that_nobody_labelled_is_not_asked_for(
    tmp_path: Path, angles: Path, moments: Path
) -> None:
    right = tmp_path / "right.sto"
    rows = [line.split("\t") for line in moments.read_text().splitlines()]
    right.write_text("\n".join("\t".join([*row[:1], *row[4:]]) for row in rows).strip("\t"))
    words = ("--angles", angles, "--moments", right, *BODY, "-o", tmp_path / "out")
    line = refused(collect, DatasetError, *words)
    assert "right.sto: has no column hip_flexion_l_moment" in line
    result = run(collect, *words, "--right-contacts", 3.25, 4.375)
    assert result.exit_code == 0, result.output
    assert len(read_cohort(tmp_path / "out" / "moments.npz")) == 1


@pytest.mark.parametrize("cut", ["ik.mot", "id.sto"])
def test_no_stride_goes_over_rows_that_are_missing(
    cut: str, tmp_path: Path, angles: Path, moments: Path
) -> None:
    told = ("--right-contacts", 2.2, 3.3, 4.4, 5.5)
    words = ("--angles", angles, "--moments", moments, *BODY, "-o", tmp_path / "out")
    whole = {}
    for how in ((), told):
        assert run(collect, *words, *how).exit_code == 0
        whole[how] = len(read_cohort(tmp_path / "out" / "moments.npz"))
    lines = (tmp_path / cut).read_text().splitlines(keepends=True)
    (tmp_path / cut).write_text("".join(lines[:390] + lines[420:]))  # 0.3 s at 3.9 s
    for how in ((), told):
        result = run(collect, *words, *how)
        assert result.exit_code == 0, result.output
        found = read_cohort(tmp_path / "out" / "moments.npz")
        hip, knee = found.angles_deg[..., 0], found.angles_deg[..., ANGLES.index("knee_angle_r")]
        wanted = np.stack([-0.03 * (hip - 10.0), 0.01 * (knee - 40.0), 0.002 * hip], -1)
        np.testing.assert_allclose(found.per_kg, wanted, atol=1e-3)
        assert whole[how] - 4 <= len(found) < whole[how]
        if how or cut == "id.sto":
            assert "strides left out: not whole in all tables" in result.output


def test_tables_of_other_times_are_said_to_be(tmp_path: Path, angles: Path) -> None:
    names = [f"{name}_{side}_moment" for side in SIDES for name in MOMENTS]
    loads = np.column_stack([hips(side) for side in SIDES])
    later = table(tmp_path / "id.sto", names, loads, time_s=WALK.time_s + 20.0)
    line = refused(
        collect, DatasetError, "--angles", angles, "--moments", later, *BODY, "-o", tmp_path / "out"
    )
    assert "no time in common" in line
    assert "ik.mot from 0.00 to 8.99 s" in line
    assert "id.sto from 20.00 to 28.99 s" in line


@pytest.mark.parametrize(("target", "residual"), [("moments", "pelvis_ty_force"), ("forces", "FY")])
def test_strides_beside_the_force_plates_are_left_out(
    target: str, residual: str, tmp_path: Path, angles: Path, moments: Path
) -> None:
    written = moments if target == "moments" else forces(tmp_path / "so.sto", 0)
    loads = read_opensim_table(written)

    def collected(on_plates: np.ndarray) -> Result:
        weight = np.where(on_plates, 12.0, 9.81 * KG)  # what no plate measured, the pelvis bears
        table(written, [residual, *loads.names], np.column_stack([weight, loads.values]))
        words = ("--angles", angles, f"--{target}", written, *BODY, "-o", tmp_path / "out")
        return run(collect, *words, "--right-contacts", 2.2, 3.3, 4.4, 5.5)

    assert "left out" not in collected(WALK.time_s >= 0.0).output
    result = collected((WALK.time_s > 3.2) & (WALK.time_s < 4.0))
    assert f"2 of 3 strides left out: {residual} bears more than half" in result.output
    found = read_cohort(tmp_path / "out" / f"{target}.npz")
    at = np.linspace(3.3, 4.4, 180)
    hip = np.interp(at, WALK.time_s, WALK.angles_deg[:, 0])
    np.testing.assert_allclose(found.angles_deg[..., 0], hip[None], atol=1e-4)
    line = str(collected(WALK.time_s < 0.0).exception)
    assert "3 of 3 strides left out" in line
    assert "\n" not in line


@pytest.mark.parametrize("blank", ["ik.mot", "id.sto"])
def test_strides_that_a_laboratory_blanked_are_left_out(
    blank: str, tmp_path: Path, angles: Path, moments: Path
) -> None:
    words = ("--angles", angles, "--moments", moments, *BODY, "-o", tmp_path / "out")
    assert run(collect, *words).exit_code == 0
    whole = len(read_cohort(tmp_path / "out" / "moments.npz"))
    lines = (tmp_path / blank).read_text().splitlines()
    first = lines.index("endheader") + 2
    for row in (*range(first, first + 50), *range(first + 600, len(lines))):
        lines[row] = re.sub(r"\t\S+", "\tNaN", lines[row])
    (tmp_path / blank).write_text("\n".join(lines))
    for how in ((), ("--right-contacts", 2.2, 3.3, 4.4, 5.5, 6.6)):
        result = run(collect, *words, *how)
        assert result.exit_code == 0, result.output
        found = read_cohort(tmp_path / "out" / "moments.npz")
        assert 3 <= len(found) < whole
        if how or blank == "id.sto":
            assert "strides left out: NaN in them" in result.output


def test_what_is_no_walk_of_anybody_leaves_no_file(
    tmp_path: Path, angles: Path, moments: Path
) -> None:
    words = ("--angles", angles, "--moments")
    rest = (*BODY, "-o", tmp_path / "out")
    assert "has no column hip_flexion_r" in refused(
        collect, DatasetError, "--angles", moments, "--moments", moments, *rest
    )
    assert "has no column hip_flexion_l_moment" in refused(
        collect, DatasetError, *words, angles, *rest
    )
    assert "has no addbrev, neither addbrev_l nor add_brev_l: give static" in refused(
        collect, DatasetError, "--angles", angles, "--forces", angles, *rest
    )
    holed = tmp_path / "holed.sto"
    holed.write_text(moments.read_text().replace("\t0.", "\tnan", 300))
    refused(collect, DatasetError, *words, holed, *rest)
    assert not [*(tmp_path / "out").glob("*.npz")]
    result = run(collect, "--angles", angles, *rest)
    assert "give --moments, --forces, or both" in result.output


def test_what_is_refused_replaces_nothing_that_was_there(
    tmp_path: Path, angles: Path, moments: Path
) -> None:
    out, kept = tmp_path / "out", tmp_path / "out" / "moments.npz"
    words = ("--angles", angles, "--moments", moments, *BODY, "-o", out)
    assert run(collect, *words).exit_code == 0
    before = kept.read_bytes()
    holed = forces(tmp_path / "so.sto", 0)
    holed.write_text(re.sub(r"\t\d\S*", "\tnan", holed.read_text()))
    longer = ("--right-contacts", 3.25, 4.375)  # else moments would be written as they are
    line = refused(collect, DatasetError, *words, "--forces", holed, *longer)
    assert line.startswith(f"{angles}, {holed}: Y has NaN")
    assert kept.read_bytes() == before
    assert [path.name for path in out.iterdir()] == ["moments.npz"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "its header does not end"),
        ("hello\n" * 2000, "its header does not end"),
        ("a\nendheader\n", "its first column is not called time"),
        ("a\nendheader\ntime;x\n", "called time but 'time;x': .* text with tabs between columns"),
        ("a\ntime,x\n0,1\n", "its header does not end: .* down to the line 'endheader'"),
        ("a\nendheader\ntime\tx\n", "holds 0 rows"),
        ("a\nendheader\ntime\tx\n0 1\n0.1 two\n", "something other than numbers"),
        ("a\nendheader\ntime\tx\n0 1\n0,1 2\n", "row 2, column time: write decimal points"),
        ("a\nendheader\ntime\tx\ty\n0 1 2\n0.1 2\n", "row 2 of 2 has 2 numbers, and 3 columns"),
        ("a\nendheader\ntime\tx\n0 1\n0.1 2 3\n", "row 2 of 2 has 3 numbers, and 2 columns"),
        ("a\nendheader\ntime\tx\n0 1 2\n0.1 2 3\n", "names 2 columns, and has 3"),
        ("a\nendheader\ntime\tx\n0.1 1\n0.1 2\n", "do not increase"),
        ("a\nendheader\ntime\tx\n0.1 1\nnan 2\n", "do not increase"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "a.sto"
    path.write_text(content)
    with pytest.raises(DatasetError, match=complaint) as raised:
        read_opensim_table(path)
    assert "\n" not in str(raised.value)


@settings(max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([b"endheader\n", b"time\ta\n", b"0 1\n", b"1 2\n", b"inDegrees=yes\n"]),
            st.binary(max_size=12),
        ),
        max_size=12,
    )
)
def test_any_bytes_are_a_table_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.sto"
    path.write_bytes(b"".join(parts))
    line = ""
    try:
        read = read_opensim_table(path)
        assert read.values.shape == (len(read.time_s), len(read.names))
    except DatasetError as error:
        line = str(error)
    assert "\n" not in line


@needs_shared_data
def test_a_real_walk_goes_all_the_way_to_a_persons_model(tmp_path: Path) -> None:
    folder = SHARED / "data" / "walking"
    with np.load(folder / "schreiber__2014007__C4_04.npz") as data:
        x, mass, times = data["X"], float(data["mass"]), data["t"]
        contacts = {side: data[f"HS_{side}"].tolist() for side in SIDES}
        loads = np.column_stack([data[f"M_{side}"] for side in SIDES]) * mass
    names = [f"{name}_{side}_moment" for side in SIDES for name in MOMENTS]
    ik = table(tmp_path / "ik.mot", ANGLES, x, "inDegrees=yes", times)
    id_ = table(tmp_path / "id.sto", names, loads, "", times)
    words = ("--angles", ik, "--moments", id_, "--subject", "P", "--body-height", 1.69)
    told = ("--right-contacts", *contacts["r"], "--left-contacts", *contacts["l"])
    result = run(collect, *words, "--body-mass", mass, *told, "-o", tmp_path)
    assert result.exit_code == 0, result.output
    found = read_cohort(tmp_path / "moments.npz")
    with np.load(folder / "strides_180.npz") as data:
        own = (data["subject"] == "2014007") & (data["trial"] == "C4_04")
        places = np.flatnonzero(own)
        kept = {str(leg): place for leg, place in zip(data["leg"][own], places, strict=True)}
        for stride, side in enumerate(SIDES):
            np.testing.assert_allclose(found.angles_deg[stride], data["X"][kept[side]], atol=0.3)
            off = abs(found.per_kg[stride] - data["Y_moment"][kept[side]])
            assert off.max() < 0.05
    mine = tmp_path / "me.tflite"
    assert run(adapt, "hip-cycle", tmp_path / "moments.npz", "-o", mine).exit_code == 0
    personal = load_model(mine).card.personal
    assert personal is not None
    assert personal.strides == 2
