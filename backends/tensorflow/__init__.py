"""TensorFlow with Keras 3 layers."""
