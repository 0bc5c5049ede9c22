/* What every classifier shares: a sensor's number to an int8 input, an output to a probability, results over time.
 *
 * Each function states its arithmetic to the rounding; edgecnn's Python computes the same bits. */
#ifndef EDGECNN_CLASSIFIER_H
#define EDGECNN_CLASSIFIER_H

#include "edgecnn_base.h"

#if defined(__FAST_MATH__) && !defined(EDGECNN_ALLOW_FAST_MATH)
#error "compile this file without -ffast-math (-Ofast): it changes the numbers; EDGECNN_ALLOW_FAST_MATH accepts that"
#endif

/* Probabilities in Q15: 32768 is 1; what leaves the classifier as int16_t is held at 32767. */
#define EDGECNN_ONE 32768

/* round_half_away((x - offset) * gain / scale) + zero_point, kept within int8; *is_nan is set where the quotient is
 * NaN. */
EDGECNN_INLINE int8_t edgecnn_quantize(float x, float offset, float gain, float scale, int32_t zero_point,
                                       int *is_nan) {
    const float centered = x - offset;
    const float normalized = centered * gain;
    float steps = normalized / scale;
    int32_t whole;
    if (steps != steps)
        *is_nan = 1;
    /* Within these bounds, which lie outside int8 with any zero point, the conversion to int32_t is defined. */
    if (!(steps > -1024.0f))
        steps = -1024.0f;
    else if (steps > 1024.0f)
        steps = 1024.0f;
    whole = (int32_t)steps;
    if (steps - (float)whole >= 0.5f)
        whole++;
    else if (steps - (float)whole <= -0.5f)
        whole--;
    return (int8_t)edgecnn_clamp(whole + zero_point, -128, 127);
}

/* A sensor's count on a line in fixed point: floor((count * slope + intercept) / 2^shift), kept within int8; the
 * intercept holds the half that rounds. |slope| < 2^15 and |intercept| < 2^30, so that the sum fits. */
EDGECNN_INLINE int8_t edgecnn_quantize_count(int16_t count, int32_t slope, int32_t intercept, int shift) {
    return (int8_t)edgecnn_clamp(((int32_t)count * slope + intercept) >> shift, -128, 127);
}

EDGECNN_INLINE int16_t edgecnn_q15(int32_t probability) { return (int16_t)edgecnn_min(probability, EDGECNN_ONE - 1); }

/* The first largest. */
EDGECNN_INLINE int32_t edgecnn_largest(const int32_t *values, int32_t n) {
    int32_t best = 0;
    for (int32_t i = 1; i < n; ++i)
        if (values[i] > values[best])
            best = i;
    return best;
}

/* The largest value less the largest of the others; n is at least 2. */
EDGECNN_INLINE int32_t edgecnn_margin(const int32_t *values, int32_t n, int32_t best) {
    int32_t second = best == 0 ? values[1] : values[0];
    for (int32_t i = 0; i < n; ++i)
        if (i != best && values[i] > second)
            second = values[i];
    return values[best] - second;
}

/* The label that most of the newest results have; of several, that of the newest result among them. `labels` is a ring
 * of `size` with `filled` results, the newest at `newest`. */
EDGECNN_INLINE int32_t edgecnn_majority(const int32_t *labels, int32_t size, int32_t filled, int32_t newest) {
    int32_t found = labels[newest], most = 0;
    for (int32_t age = 0; age < filled; ++age) {
        const int32_t label = labels[(newest + size - age) % size];
        int32_t count = 0;
        for (int32_t i = 0; i < filled; ++i)
            count += labels[(newest + size - i) % size] == label;
        if (count > most) {
            most = count;
            found = label;
        }
    }
    return found;
}

/* floor(sqrt(x)) */
EDGECNN_INLINE uint32_t edgecnn_square_root(uint64_t x) {
    uint64_t root = 0, bit = (uint64_t)1 << 62;
    while (bit > x)
        bit >>= 2;
    while (bit != 0) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    return (uint32_t)root;
}

/* Sums over the samples of one channel since the monitor was reset. */
typedef struct {
    uint32_t samples;
    int64_t sum;
    uint64_t squares;
    uint32_t clipped; /* at the ends of int8 */
} edgecnn_moments;

EDGECNN_INLINE void edgecnn_moments_reset(edgecnn_moments *moments) {
    moments->samples = 0;
    moments->sum = 0;
    moments->squares = 0;
    moments->clipped = 0;
}

/* Beyond 2^20 samples the older half fades, so that no sum overflows and the monitor never goes blind. */
EDGECNN_INLINE void edgecnn_moments_add(edgecnn_moments *moments, int8_t value) {
    if (moments->samples >= (uint32_t)1 << 20) {
        moments->samples >>= 1;
        moments->sum >>= 1;
        moments->squares >>= 1;
        moments->clipped >>= 1;
    }
    moments->samples++;
    moments->sum += value;
    moments->squares += (uint64_t)((int32_t)value * value);
    moments->clipped += value == -128 || value == 127;
}

/* floor(a / b) for b > 0 */
EDGECNN_INLINE int64_t edgecnn_floor_divide(int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0); }

/* Mean less that of the training data, in 1/256 of its standard deviation. mean and deviation: in 1/256 of a step. */
EDGECNN_INLINE int32_t edgecnn_mean_shift(const edgecnn_moments *moments, int32_t mean, int32_t deviation) {
    const int64_t found = edgecnn_floor_divide(moments->sum * 256, (int64_t)moments->samples);
    return (int32_t)edgecnn_floor_divide((found - mean) * 256, deviation);
}

/* Standard deviation as a share of that of the training data: 256 is the same. */
EDGECNN_INLINE int32_t edgecnn_spread(const edgecnn_moments *moments, int32_t deviation) {
    const uint64_t n = moments->samples, magnitude = (uint64_t)(moments->sum < 0 ? -moments->sum : moments->sum);
    /* n^2 times the variance, then 256 n times the deviation; with at most 2^20 samples all fits. */
    const uint64_t scaled = n * moments->squares - magnitude * magnitude;
    const uint64_t root = (uint64_t)edgecnn_square_root(scaled << 4) * 64u;
    return (int32_t)(root * 256u / (n * (uint64_t)deviation));
}

/* Share of samples at the ends of int8, in Q15. */
EDGECNN_INLINE int32_t edgecnn_clipped(const edgecnn_moments *moments) {
    return (int32_t)((uint64_t)moments->clipped * EDGECNN_ONE / moments->samples);
}

#endif
