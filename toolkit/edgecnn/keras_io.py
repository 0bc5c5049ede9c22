"""`.keras` files: written the same to the byte for the same model, read without trusting them."""

import io
import json
import math
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgecnn.tensorflow_setup import import_keras, quiet
from edgecnn_firmware.errors import ModelError

if TYPE_CHECKING:
    import keras

MAX_CONFIG_BYTES: Final = 16 << 20
MAX_WEIGHT_BYTES: Final = 4 << 30

_CONFIG: Final = "config.json"
_METADATA: Final = "metadata.json"
_WEIGHTS: Final = "model.weights.h5"
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_SHARED_ID: Final = "shared_object_id"


def save_model_deterministic(model: "keras.Model", path: Path) -> None:
    """Save a model so that the same layers and weights give the same bytes.

    Keras writes the date, memory addresses as ids of shared objects, and file times; here there is no date, ids count
    from 0, and times are the zip format's first. The file appears whole or not at all.
    """
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "model.keras"
        with quiet():
            model.save(raw)
        with zipfile.ZipFile(raw) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members[_METADATA])
    metadata.pop("date_saved", None)
    members[_METADATA] = _to_json(metadata)
    members[_CONFIG] = _to_json(_renumbered(json.loads(members[_CONFIG]), {}))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name])
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(buffer.getvalue())
    partial.replace(path)


def load_model(path: Path) -> "keras.Model":
    """Load a `.keras` file from anywhere, without running code from it and without compiling it.

    The network is first built without memory for its weights, so that a small file that claims huge layers is refused.

    Raises:
        ModelError: the file is missing, no `.keras` file, too large, holds a Lambda or other code, or is inconsistent.
    """
    keras = import_keras()
    config, weight_values = _inspect(path)
    try:
        with quiet():
            with keras.StatelessScope(initialize_variables=False):
                claimed = keras.models.model_from_json(json.dumps(config)).count_params()
            model = keras.models.load_model(path, compile=False, safe_mode=True) if claimed <= weight_values else None
    except Exception as error:
        # Keras raises whatever its layers raise.
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ModelError(f"{path.name}: Keras cannot load it: {text[:300]}") from error
    if model is None:
        raise ModelError(f"{path.name}: its layers ask for {claimed} weights, the file holds {weight_values}")
    return model


def _inspect(path: Path) -> tuple[dict[str, Any], int]:
    """Read the config and count the weights, with limits on both."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            sizes = {member: info.file_size for member, info in members.items()}
            missing = {_CONFIG, _METADATA, _WEIGHTS} - set(sizes)
            if missing:
                raise ModelError(f"{path.name}: not a .keras file of Keras 3 (no {min(missing)} in it)")
            if sizes[_CONFIG] > MAX_CONFIG_BYTES or sizes[_WEIGHTS] > MAX_WEIGHT_BYTES:
                largest = max(sizes[_CONFIG], sizes[_WEIGHTS])
                raise ModelError(f"{path.name}: {largest} bytes in one member; at most {MAX_WEIGHT_BYTES} are read")
            if members[_WEIGHTS].compress_type != zipfile.ZIP_STORED:
                raise ModelError(f"{path.name}: its {_WEIGHTS} is compressed; save the model with Keras again")
            config = json.loads(archive.read(_CONFIG))
            with archive.open(_WEIGHTS) as weights:
                values = _count_values(weights, path.name)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    except zipfile.BadZipFile as error:
        raise ModelError(f"{path.name}: no zip archive; save the model with model.save('model.keras')") from error
    except (ValueError, RecursionError, NotImplementedError) as error:
        raise ModelError(f"{path.name}: damaged .keras file ({error})") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path.name}: damaged .keras file ({_CONFIG} holds no object)")
    _refuse_code(config, path.name)
    return config, values


def _count_values(stream: Any, name: str) -> int:
    """Number of weights in the HDF5 member, from the shapes of its data sets."""
    import h5py

    total = 0

    def visit(path: str, item: Any) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            values = math.prod(item.shape)
            # A data set may claim any shape and store nothing.
            if item.id.get_storage_size() < values * item.dtype.itemsize:
                raise ModelError(f"{name}: its {_WEIGHTS} is damaged ('{path}' is not stored in full)")
            total += values

    try:
        with h5py.File(stream, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError, KeyError) as error:
        raise ModelError(f"{name}: its {_WEIGHTS} is damaged") from error
    return total


def _refuse_code(node: Any, name: str) -> None:
    """Refuse Lambda layers and classes that are not part of Keras anywhere in a config."""
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.extend(item.values())
            kind, module = item.get("class_name"), item.get("module")
            if kind == "Lambda" or kind == "__lambda__":
                raise ModelError(f"{name}: holds a Lambda layer, which is code; use other layers of Keras")
            if isinstance(kind, str) and isinstance(module, str) and module.split(".")[0] not in {"keras", "builtins"}:
                raise ModelError(f"{name}: holds {module}.{kind}, which is not part of Keras; use layers of Keras")


def _renumbered(node: Any, seen: dict[int, int]) -> Any:
    if isinstance(node, list):
        return [_renumbered(item, seen) for item in node]
    if not isinstance(node, dict):
        return node
    # Whether layers share one policy object depends on how the model was made, and means nothing.
    kept = node if node.get("class_name") != "DTypePolicy" else {key: node[key] for key in node if key != _SHARED_ID}
    return {
        key: seen.setdefault(value, len(seen)) if key == _SHARED_ID else _renumbered(value, seen)
        for key, value in kept.items()
    }


def _to_json(value: Any) -> bytes:
    return json.dumps(value).encode()
