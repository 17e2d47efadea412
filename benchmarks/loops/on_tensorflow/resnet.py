"""TensorFlow by hand: a residual net for small pictures in Keras' functional way, and three loops around it."""

from typing import Any

import keras
from keras import layers

from benchmarks.loops.case import Case
from benchmarks.loops.on_tensorflow.plain import all_three, fill


def resnet(case: Case) -> Any:
    made: list[Any] = []

    def normalised(x: Any, filters: int, kernel: int, stride: int = 1) -> Any:
        if stride > 1 and kernel > 1:  # Keras' "same" would pad one side alone
            x = layers.ZeroPadding2D(kernel // 2)(x)
        padding = "same" if stride == 1 else "valid"
        conv = layers.Conv2D(filters, kernel, stride, padding, use_bias=False)
        norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        made.extend((conv, norm))
        return norm(conv(x))

    width = case.blocks()[0][0]
    inputs = keras.Input((*case.x.shape[2:], case.x.shape[1]))
    x = layers.ReLU()(normalised(inputs, width, 3))
    for filters, stride in case.blocks():
        y = layers.ReLU()(normalised(x, filters, 3, stride))
        y = normalised(y, filters, 3)
        beside = normalised(x, filters, 1, stride) if stride > 1 or filters != width else x
        x, width = layers.ReLU()(layers.add([y, beside])), filters
    dense = layers.Dense(10)
    net = keras.Model(inputs, dense(layers.GlobalAveragePooling2D()(x)))
    fill([*made, dense], case)
    return net


def candidates(case: Case) -> dict[str, Any]:
    return all_three(case, lambda: resnet(case), case.x.transpose(0, 2, 3, 1).copy())
