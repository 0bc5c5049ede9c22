// Checks wrist and classifies one window: on a board over the serial port at 115200 baud, else on the console.
#include <stdio.h>

#include "example_window.h"
#include "wrist.h"

#ifdef ARDUINO
#include <Arduino.h>
#endif

static bool check(char *text, size_t size) {
    wrist_result result;
    if (wrist_init() != WRIST_OK || wrist_selftest() != WRIST_OK) {
        snprintf(text, size, "self-test failed");
        return false;
    }
    if (wrist_classify(example_window, &result) != WRIST_OK) {
        snprintf(text, size, "classification failed");
        return false;
    }
    const char *label = wrist_labels[result.label];
    snprintf(text, size, "self-test passed; window is %.80s, margin %d/32767", label, (int)result.margin);
    return result.label == EXAMPLE_LABEL;
}

#ifdef ARDUINO
void setup() {
    Serial.begin(115200);
    delay(2000);  // boards with USB in the processor need it to connect
    char text[160];
    check(text, sizeof text);
    Serial.println(text);
}

void loop() {
    delay(1000);
}
#else
int main() {
    char text[160];
    bool passed = check(text, sizeof text);
    puts(text);
    return passed ? 0 : 1;
}
#endif
