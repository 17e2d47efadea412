"""What is computed: one module per task or family of tasks, each with functions that return a Task. No framework here.

`TABLE` names them all; to add a task, write its function and its line. `GROUPS` are names for several at once.
"""

MAIN = {
    "xor": "tasks.xor:task",
    "lenet-mnist": "tasks.lenet_mnist:task",
    "lstm-text": "tasks.lstm_text:task",
    "dbm-mnist": "tasks.dbm_mnist:task",
}
TEXT = {f"{kind}-text": f"tasks.lstm_text:{kind}" for kind in ("gru", "rnn", "bilstm", "stacked")}
BOLTZMANN = {f"{kind}-mnist": f"tasks.dbm_mnist:{kind}" for kind in ("rbm", "pcd", "dbn", "autoencoder", "mlp")} | {
    "wake-sleep-mnist": "tasks.dbm_mnist:wake_sleep"
}
OPTIMIZERS = {
    f"lenet-{name}": f"tasks.optimizers:{name}"
    for name in ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "sigmoid", "tanh", "leaky_relu", "selu")
}
VISION = {name: f"tasks.vision:{name}" for name in ("vgg", "inception", "resnet", "unet")}
SEQUENCE = {"char-rnn": "tasks.sequences:char_rnn", "transformer-text": "tasks.sequences:transformer_text"}

TABLE = MAIN | {"cosine": "tasks.cosine:task"} | TEXT | BOLTZMANN | OPTIMIZERS | VISION | SEQUENCE

GROUPS = {
    "main": tuple(MAIN),
    "text": ("lstm-text", *TEXT),
    "boltzmann": ("dbm-mnist", *BOLTZMANN),
    "optimizers": tuple(OPTIMIZERS),
    "vision": tuple(VISION),
    "sequence": tuple(SEQUENCE),
}
"""What `--task NAME` may also be; `main` is what a run without `--task` does."""

ALIASES = (
    {"mnist": "lenet-mnist", "lenet": "lenet-mnist", "lenet5": "lenet-mnist", "lenet-5": "lenet-mnist"}
    | {"lstm": "lstm-text", "sentiment": "lstm-text", "dbm": "dbm-mnist"}
    | {name.removesuffix("-text"): name for name in TEXT}
    | {"googlenet": "inception", "u-net": "unet", "transformer": "transformer-text", "charrnn": "char-rnn"}
    | {name.removesuffix("-mnist"): name for name in BOLTZMANN}
    | {name.removeprefix("lenet-"): name for name in OPTIMIZERS}
)
"""What people call a task too, in small letters."""
