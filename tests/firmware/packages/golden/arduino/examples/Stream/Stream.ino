// Classifies samples as they come. Serial Monitor at 115200 baud.
#include <wrist.h>

#include "example_window.h"

static const unsigned long PERIOD_US = (unsigned long)(1000000.0f / WRIST_SAMPLE_RATE_HZ + 0.5f);
static unsigned long next_us;

// Yours to write: read one value per channel, in the units that wrist.h names; false where there is none.
// Without a sensor it plays a recorded window again and again.
static bool read_sample(float *sample) {
    static long played;
    for (int channel = 0; channel < WRIST_CHANNELS; channel++)
        sample[channel] = example_window[played * WRIST_CHANNELS + channel];
    played = (played + 1) % WRIST_WINDOW_SAMPLES;
    return true;
}

void setup() {
    Serial.begin(115200);
    delay(2000);  // boards with USB in the processor need it to connect
    if (wrist_init() != WRIST_OK)
        Serial.println("the network's constants are damaged");
    next_us = micros();
}

void loop() {
    if ((long)(micros() - next_us) < 0)
        return;
    next_us += PERIOD_US;
    float sample[WRIST_CHANNELS];
    wrist_result result;
    if (!read_sample(sample) || wrist_push(sample, &result) != WRIST_NEW_RESULT)
        return;
    if (result.changed && result.label >= 0)
        Serial.println(wrist_labels[result.label]);
}
