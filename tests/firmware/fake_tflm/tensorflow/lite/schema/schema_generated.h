// A stand-in with the part of TensorFlow Lite Micro's interface that the usage snippet calls.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tflite {

struct Model {
    const unsigned char *bytes;
};

inline const Model *GetModel(const void *data) {
    static Model model;
    model.bytes = static_cast<const unsigned char *>(data);
    return &model;
}

} // namespace tflite
