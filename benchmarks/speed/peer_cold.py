"""The peer answers for one frame from a fresh process: ``python -m benchmarks.speed.peer_cold MODEL FILE``."""

from __future__ import annotations

import sys

import keras
import numpy as np

SIZE = 224

if __name__ == "__main__":
    model = keras.models.load_model(sys.argv[1])
    image = keras.utils.load_img(sys.argv[2], target_size=(SIZE, SIZE), interpolation="bilinear")
    frame = np.asarray(keras.utils.img_to_array(image), np.float32)[None] / 127.5 - 1.0
    print(float(model.predict(frame, verbose=0)[0, 0]))
