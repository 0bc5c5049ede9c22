// Checks wrist and classifies one window. Serial Monitor at 115200 baud.
#include <wrist.h>

#include "example_window.h"

void setup() {
    Serial.begin(115200);
    delay(2000);  // boards with USB in the processor need it to connect
    wrist_result result;
    if (wrist_init() != WRIST_OK || wrist_selftest() != WRIST_OK) {
        Serial.println("self-test failed");
        return;
    }
    Serial.println("self-test passed");
    if (wrist_classify(example_window, &result) != WRIST_OK) {
        Serial.println("classification failed");
        return;
    }
    Serial.print("window is ");
    Serial.print(wrist_labels[result.label]);
    Serial.print(", margin ");
    Serial.print((int)result.margin);
    Serial.println("/32767");
    Serial.println(result.label == EXAMPLE_LABEL ? "as expected" : "another label was expected");
}

void loop() {
    delay(1000);
}
