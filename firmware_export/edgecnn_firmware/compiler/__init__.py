"""Int8 `.tflite` graph -> dependency-free C99: lowering -> passes -> plan -> emit."""
