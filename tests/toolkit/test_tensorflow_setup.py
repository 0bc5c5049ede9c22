"""How TensorFlow is brought in."""

import os
import subprocess
import sys

import pytest

from edgecnn import tensorflow_setup
from edgecnn.tensorflow_setup import THREADS_VARIABLE, import_tensorflow, quiet
from edgecnn_firmware.errors import MissingDependency, SettingsError


@pytest.fixture
def import_again(monkeypatch):
    """Call the import anew, past its cache, with `environment` and without what is `missing`."""

    def run(missing=None, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        if missing:
            monkeypatch.setitem(sys.modules, missing, None)
        return import_tensorflow.__wrapped__()

    return run


@pytest.mark.parametrize("missing", ["tensorflow", "keras"])
def test_missing_tensorflow_tells_what_to_install(import_again, missing):
    with pytest.raises(MissingDependency, match=r"pip install 'edgecnn\[train\]'"):
        import_again(missing)


@pytest.mark.parametrize("threads", ["0", "many", "-1", "2.5", ""])
def test_wrong_thread_count_is_refused(import_again, threads):
    with pytest.raises(SettingsError, match=r"EDGECNN_THREADS=.*expected a number of threads from 1 to 1024"):
        import_again(EDGECNN_THREADS=threads)


def test_threads_do_not_depend_on_the_machine():
    program = (
        "from edgecnn.tensorflow_setup import import_tensorflow\n"
        "print(import_tensorflow().config.threading.get_intra_op_parallelism_threads())"
    )
    # A process of its own: once another test has run an op, the number of threads is what it is.
    environment = {name: value for name, value in os.environ.items() if name != THREADS_VARIABLE}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_what_is_written_while_quiet_is_kept(capfd):
    with quiet() as muted:
        os.write(2, b"noise\n")
    os.write(2, b"after\n")
    assert muted.text == "noise\n"
    assert capfd.readouterr().err == "after\n"


def test_quiet_lets_errors_through(capfd):
    def fail():
        with quiet():
            os.write(2, b"noise\n")
            raise ValueError("real")

    with pytest.raises(ValueError, match="real"):
        fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_a_home_folder_set_up_for_another_backend_does_not_matter(tmp_path):
    settings = '{"floatx": "float64", "epsilon": 1e-7, "backend": "jax", "image_data_format": "channels_first"}'
    (tmp_path / "keras.json").write_text(settings)
    script = (
        "from edgecnn.tensorflow_setup import import_keras; k = import_keras(); "
        "print(k.backend.backend(), k.config.floatx(), k.config.image_data_format())"
    )
    environment = os.environ | {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["tensorflow", "float32", "channels_last"]
    assert done.stderr == ""


def test_the_toolkit_imports_without_tensorflow():
    script = (
        "import sys; sys.modules.update(tensorflow=None, keras=None, h5py=None); "
        "import edgecnn.zoo, edgecnn.quantization, edgecnn.augmentation, edgecnn.keras_io; "
        "print(len(edgecnn.zoo.describe()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 8
    assert tensorflow_setup.THREADS_VARIABLE == "EDGECNN_THREADS"
