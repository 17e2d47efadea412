"""The reference: every forward and backward pass by hand, in float64, written to be read.

The files are those of the other backends as far as they apply. There are no `knobs` and no `mistakes`: the reference
is never tuned, and has no tutorial for a student to follow. There is one file more, `layers.py`: where a framework's
`nets` picks a finished layer in one line, here each layer is written out, and that is the lecture; `nets` is what joins
them.
"""
