#define WRIST_IMPLEMENTATION
#include "wrist.h"

/* Checks wrist and classifies one window. */
#include <stdio.h>

#include "example_window.h"
#include "wrist.h"

int main(void) {
    wrist_result result;
    if (wrist_init() != WRIST_OK || wrist_selftest() != WRIST_OK) {
        printf("self-test failed\n");
        return 1;
    }
    if (wrist_classify(example_window, &result) != WRIST_OK)
        return 1;
    printf("self-test passed; window is %s, margin %d/32767\n", wrist_labels[result.label], (int)result.margin);
    return result.label == EXAMPLE_LABEL ? 0 : 1;
}
