/*
 * tiny 1.2.3: an int8 1-D CNN for TensorFlow Lite Micro.
 * Tells rest from motion.
 *
 * input    2 x 3 int8, oldest sample first, channels side by side
 *          real = 0.5 * (q - (-3)), of the normalized signal
 * rate     50 Hz: one window is 0.04 s, the next starts 1 samples later
 * channel  0: x in g
 * channel  1: y in g
 * channel  2: z
 * output   2 int8: one probability per label
 *          real = 0.00390625 * (q - (-128))
 * label    0: rest
 * label    1: motion
 * flash    N bytes for the array below
 * arena    1200 bytes, measured by tflite-micro 1.0 with reference kernels on a 64-bit host; 32-bit boards need less
 * model    SHA-256 ...
 *
 * Include this file in one source file only: the arrays are static. tiny_register_ops adds the ops below to the
 * resolver; written out:
 *
 *    resolver.AddFullyConnected();
 *
 * How to call it (C++):
 *
 *    #include "tensorflow/lite/micro/micro_interpreter.h"
 *    #include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
 *    #include "tensorflow/lite/schema/schema_generated.h"
 *    #include "tiny_model.h"
 *
 *    alignas(16) static uint8_t arena[TINY_ARENA_BYTES];
 *
 *    // window: TINY_WINDOW_SAMPLES x TINY_CHANNELS in physical units; the label's number, or -1
 *    int classify(const float *window) {
 *        static tflite::MicroMutableOpResolver<TINY_OPS> resolver;
 *        static const bool registered = tiny_register_ops(resolver);
 *        static tflite::MicroInterpreter interpreter(tflite::GetModel(tiny_model), resolver, arena, sizeof(arena));
 *        static const bool ready = registered && interpreter.AllocateTensors() == kTfLiteOk;
 *        if (!ready) {
 *            return -1;
 *        }
 *        tiny_quantize(window, interpreter.input(0)->data.int8);
 *        if (interpreter.Invoke() != kTfLiteOk) {
 *            return -1;
 *        }
 *        return tiny_label(interpreter.output(0)->data.int8);
 *    }
 */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include <stddef.h>
#include <stdint.h>

/* TensorFlow Lite Micro reads the array in place and needs it aligned to 16 bytes. */
#if defined(__cplusplus)
#define TINY_ALIGN16 alignas(16)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define TINY_ALIGN16 _Alignas(16)
#elif defined(__GNUC__)
#define TINY_ALIGN16 __attribute__((aligned(16)))
#elif defined(_MSC_VER)
#define TINY_ALIGN16 __declspec(align(16))
#else
#error "tiny_model.h: this compiler has no way to align an array to 16 bytes"
#endif

#define TINY_VERSION "1.2.3"
#define TINY_MODEL_SHA256 "..."
#define TINY_MODEL_BYTES N
#define TINY_WINDOW_SAMPLES 2
#define TINY_HOP_SAMPLES 1
#define TINY_CHANNELS 3
#define TINY_SAMPLE_RATE_HZ 50.0f
#define TINY_LABELS 2
#define TINY_OUTPUTS 2
#define TINY_ARENA_BYTES 1200
#define TINY_OPS 1

/* real = scale * (q - zero_point) */
#define TINY_INPUT_SCALE 0.5f
#define TINY_INPUT_ZERO_POINT (-3)
#define TINY_OUTPUT_SCALE 0.00390625f
#define TINY_OUTPUT_ZERO_POINT (-128)

/* In UTF-8. */
static const char *const tiny_labels[TINY_LABELS] = {
    "rest",
    "motion",
};

/* normalized = (x - offset) * gain, one of each per channel */
static const float tiny_offset[TINY_CHANNELS] = {
    0.100000001f,
    -0.200000003f,
    0.0f,
};
static const float tiny_gain[TINY_CHANNELS] = {
    1.5f,
    3.0f,
    0.699999988f,
};

/* A window in physical units, TINY_WINDOW_SAMPLES x TINY_CHANNELS, to the model's input. Rounds halves away
 * from zero and saturates, as TensorFlow Lite's QUANTIZE does; a NaN becomes -128. */
static inline void tiny_quantize(const float *window, int8_t *input) {
    size_t sample;
    size_t channel;
    for (sample = 0; sample < TINY_WINDOW_SAMPLES; sample++) {
        for (channel = 0; channel < TINY_CHANNELS; channel++) {
            const float centered = *window++ - tiny_offset[channel];
            const float normalized = centered * tiny_gain[channel];
            float steps = normalized / TINY_INPUT_SCALE;
            int32_t whole;
            /* Within these bounds, which lie outside int8 with any zero point, the conversion to int32_t is defined. */
            if (!(steps > -1024.0f)) {
                steps = -1024.0f;
            } else if (steps > 1024.0f) {
                steps = 1024.0f;
            }
            whole = (int32_t)steps;
            if (steps - (float)whole >= 0.5f) {
                whole++;
            } else if (steps - (float)whole <= -0.5f) {
                whole--;
            }
            whole += TINY_INPUT_ZERO_POINT;
            *input++ = (int8_t)(whole < -128 ? -128 : whole > 127 ? 127 : whole);
        }
    }
}

/* The model's output, TINY_OUTPUTS values, to the number of its label. */
static inline int32_t tiny_label(const int8_t *output) {
    int32_t best = 0;
    int32_t i;
    for (i = 1; i < TINY_OUTPUTS; i++) {
        if (output[i] > output[best]) {
            best = i;
        }
    }
    return best;
}

#if defined(__cplusplus)
/* Adds the model's ops to a tflite::MicroMutableOpResolver<TINY_OPS> or larger; false if one was refused. */
template <typename Resolver> inline bool tiny_register_ops(Resolver &resolver) {
    if (static_cast<int>(resolver.AddFullyConnected()) != 0) {
        return false;
    }
    return true;
}
#endif

TINY_ALIGN16 static const unsigned char tiny_model[TINY_MODEL_BYTES] = {
    0x..,
};

#endif /* TINY_MODEL_H */
