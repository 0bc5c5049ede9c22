/* A test window in physical units, 4 x 2; wrist_classify gives label 1. */
#ifndef EXAMPLE_WINDOW_H
#define EXAMPLE_WINDOW_H

#define EXAMPLE_LABEL 1

static const float example_window[8] = {
    -0.38340655f, -58.2390976f, 0.97866112f, 219.715912f, -0.965527773f, -1.73442137f, -0.366743386f, 49.5438423f,
};

#endif
