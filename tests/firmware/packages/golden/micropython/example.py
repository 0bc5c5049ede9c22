# Checks wrist and classifies one window.
import sys
from array import array

import wrist

# In physical units, 4 x 2; wrist gives label 1.
WINDOW = array(
    "f",
    [
        -0.38340655, -58.2390976, 0.97866112, 219.715912, -0.965527773, -1.73442137, -0.366743386, 49.5438423,
    ],
)
LABEL = 1

if not wrist.selftest():
    print("self-test failed")
    sys.exit(1)
result = wrist.classify(WINDOW)
print("self-test passed; window is %s, margin %.5f" % (result.label, result.margin))
sys.exit(0 if result.label == wrist.labels[LABEL] else 1)
