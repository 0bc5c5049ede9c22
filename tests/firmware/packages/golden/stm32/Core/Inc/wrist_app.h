/* wrist in a program made with STM32CubeMX; main.c's USER CODE sections call these. */
#ifndef WRIST_APP_H
#define WRIST_APP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Check the classifier, run its self-test and classify one window. 0, or the number of the step that failed. */
int wrist_app_init(void);

/* Take one sample, a value per channel in the units that wrist.h names. The label, where it has changed, else NULL. */
const char *wrist_app_sample(const float *sample);

#ifdef __cplusplus
}
#endif

#endif /* WRIST_APP_H */
