"""Generated C, made fit to share a file with other C and with C++."""

import shutil
from pathlib import Path

import pytest

from edgecnn_firmware.errors import BundleError
from edgecnn_firmware.packages.c_source import positional, private_names, rename, structs_of
from edgecnn_firmware.packages.one_file import in_order, join

from .conftest import run

_SOURCE = """\
/* static int not_this; */
#include "a.h"
#define LIMIT 3 /* of it */
static const float offset[2] = {1.0f, 2.0f};
static int32_t total;
static struct {
    int run;
    struct { int deep; } inner;
} state;
int public_one(void) { static int local; return local++; }
static int run(const int8_t *x) { return x[0] + offset[0] + state.run; }
EDGECNN_SHARED void layer(int a) {
    static const int window = 1;
}
const char *const text = "static int quoted; {";
"""


def test_private_names() -> None:
    assert private_names(_SOURCE) == ["LIMIT", "offset", "total", "state", "run", "layer"]


def test_renaming_leaves_members_strings_and_comments() -> None:
    text = 'int run(int offset) { return offset + s.offset + p -> offset + p->run; } /* run */ const char *c = "run";'
    found = rename(text, {"run": "x_run", "offset": "x_offset"})
    assert found == (
        "int x_run(int x_offset) { return x_offset + s.offset + p -> offset + p->run; } "
        '/* run */ const char *c = "run";'
    )
    assert rename("1.0f + run.f - prerun", {"run": "x", "f": "y"}) == "1.0f + x.f - prerun"


_HEADER = """\
typedef struct {
    int32_t zero_point, multiplier; /* two; of them */
    int right_shift;
} part;
typedef struct {
    part first, second;
    const int32_t *table; // where
    enum kind form;
    int values[2], last;
} whole;
typedef struct {
    int low;
#if WIDE
    int high;
#endif
} machine;
"""


def test_structs() -> None:
    assert structs_of(_HEADER) == {
        "part": {"zero_point": "int32_t", "multiplier": "int32_t", "right_shift": "int"},
        "whole": {
            "first": "part",
            "second": "part",
            "table": "int32_t",
            "form": "kind",
            "values": "int",
            "last": "int",
        },
    }


_INITIALIZED = """\
enum kind { ONE, TWO };
static const int32_t table[] = {4, 5};
int main(void) {
    static const whole w = {.first = {.zero_point = 1, .multiplier = (2 + 3), .right_shift = -4}, .second =
        {.zero_point = 6, .multiplier = 7}, .table = table, .form = TWO, .last = 9};
    return !(w.first.zero_point == 1 && w.first.multiplier == 5 && w.first.right_shift == -4 && w.second.zero_point == 6
             && w.second.multiplier == 7 && w.second.right_shift == 0 && w.table[1] == 5 && w.form == TWO && w.last == 9);
}
"""


@pytest.mark.skipif(shutil.which("gcc") is None or shutil.which("g++") is None, reason="gcc and g++ are not installed")
def test_positional_initializers_mean_the_same(tmp_path: Path) -> None:
    header = _HEADER.replace("values[2], last", "last")
    made = positional(_INITIALIZED, structs_of(header))
    assert "/* multiplier */ (2 + 3)" in made
    enum, rest = made.split("\n", 1)
    (tmp_path / "x.c").write_text(f"#include <stdint.h>\n{enum}\n{header}\n{rest}")
    for command in (["gcc", "-std=c99"], ["g++", "-std=c++11", "-x", "c++"]):
        run([*command, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "x.c", "-o", "x"], tmp_path)
        run(["./x"], tmp_path)


def test_texts_that_look_like_initializers_are_texts() -> None:
    text = 'const char *const labels[] = {"part p = {.height = 1}"}; /* whole w = {.low = 2}; */'
    assert positional(text, structs_of(_HEADER)) == text
    assert private_names(text) == []


def test_what_cannot_be_laid_out_is_refused() -> None:
    structs = structs_of(_HEADER)
    with pytest.raises(BundleError, match="of 'machine' cannot be written for C"):
        positional("static const machine m = {.low = 1};", structs)
    with pytest.raises(BundleError, match="of 'part' names no field of it: height"):
        positional("static const part p = {.zero_point = 1, .height = 2};", structs)
    with pytest.raises(BundleError, match="has no end"):
        positional("static const part p = {.zero_point = 1, ", structs)


def test_headers_come_after_what_they_include() -> None:
    headers = {"a.h": '#include "b.h"\n', "b.h": '#include <x.h>\n #  include "c.h"\n', "c.h": "", "d.h": ""}
    assert in_order(['#include "d.h"\n#include "a.h"\n', '#include "c.h"\n'], headers) == ["d.h", "c.h", "b.h", "a.h"]


def test_a_header_of_the_system_is_included_once_unless_it_may_not_be() -> None:
    headers = {
        "x.h": "#ifndef X_H\n#define X_H\n#include <stdint.h>\n#endif\n",
        "y.h": "#ifndef Y_H\n#define Y_H\n#include <stdint.h>\n#if ARM\n#include <arm.h>\n#endif\n#endif\n",
    }
    sources = {
        "x.c": '#include "x.h"\n#include "y.h"\n#include <arm.h>\nint x_a;\n',
        "x_selftest.c": "#include <arm.h>\n",
    }
    parts = join("x", ["x.h"], headers, sources)
    whole = parts.interface + parts.kernels + parts.sources + parts.selftest
    assert whole.count("<stdint.h>") == 1
    assert "#if ARM\n#include <arm.h>\n#endif" in parts.kernels
    assert parts.sources.count("<arm.h>") == 1
    assert "<arm.h>" not in parts.selftest
    assert '#include "' not in whole
