"""The light half of the plug-in: what Evenbench reads to plan, without importing MLX."""

from harness.contract import Entry

CONTRACT = 1
MLX = Entry(
    adapter="evenbench_mlx.adapter:backend",
    framework="mlx",
    modes=("eager",),
    default_mode="eager",
    variables=("MLX_",),
)
