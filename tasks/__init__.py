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
BOLTZMANN = {f"{kind}-mnist": f"tasks.dbm_mnist:{kind}" for kind in ("rbm", "pcd", "dbn", "autoencoder", "mlp")}
OPTIMIZERS = {
    f"lenet-{name}": f"tasks.optimizers:{name}"
    for name in ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "sigmoid", "tanh", "leaky_relu", "selu")
}

TABLE = MAIN | {"cosine": "tasks.cosine:task"} | TEXT | BOLTZMANN | OPTIMIZERS

GROUPS = {
    "main": tuple(MAIN),
    "text": ("lstm-text", *TEXT),
    "boltzmann": ("dbm-mnist", *BOLTZMANN),
    "optimizers": tuple(OPTIMIZERS),
}
"""What `--task NAME` may also be; `main` is what a run without `--task` does."""
