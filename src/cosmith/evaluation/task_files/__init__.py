"""A task is a file or a folder: which kind it is, by its columns, and several of them as a benchmark.

:func:`read_task` takes whatever a user has; :func:`read_benchmark` a ``tasks.yaml`` that names several.
"""

from cosmith.evaluation.task_files.benchmark import Average, Benchmark, averages, is_benchmark, read_benchmark
from cosmith.evaluation.task_files.reading import TaskRead, read_task

__all__ = ["Average", "Benchmark", "TaskRead", "averages", "is_benchmark", "read_benchmark", "read_task"]
