/* Checks wrist and classifies one window. */
#include "esp_log.h"

#include "example_window.h"
#include "wrist.h"

static const char *const TAG = "wrist";

void app_main(void) {
    wrist_result result;
    if (wrist_init() != WRIST_OK || wrist_selftest() != WRIST_OK) {
        ESP_LOGE(TAG, "self-test failed");
        return;
    }
    if (wrist_classify(example_window, &result) != WRIST_OK) {
        ESP_LOGE(TAG, "classification failed");
        return;
    }
    ESP_LOGI(TAG, "self-test passed; window is %s, margin %d/32767", wrist_labels[result.label], (int)result.margin);
    if (result.label != EXAMPLE_LABEL)
        ESP_LOGE(TAG, "another label was expected");
}
