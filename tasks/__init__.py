"""What is computed: one module per task, each with `def task() -> Task`. No framework in here.

`TABLE` names them all; to add a task, write its module and its line.
"""

TABLE = {
    "xor": "tasks.xor:task",
    "lenet-mnist": "tasks.lenet_mnist:task",
}
