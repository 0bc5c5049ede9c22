#include "wrist_app.h"

#include <stddef.h>

#include "wrist.h"
#include "wrist_example_window.h"

int wrist_app_init(void) {
    wrist_result result;
    if (wrist_init() != WRIST_OK)
        return 1;
    if (wrist_selftest() != WRIST_OK)
        return 2;
    if (wrist_classify(example_window, &result) != WRIST_OK || result.label != EXAMPLE_LABEL)
        return 3;
    return wrist_init();
}

const char *wrist_app_sample(const float *sample) {
    wrist_result result;
    if (wrist_push(sample, &result) != WRIST_NEW_RESULT || !result.changed || result.label < 0)
        return NULL;
    return wrist_labels[result.label];
}
