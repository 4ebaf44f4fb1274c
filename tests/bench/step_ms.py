"""Median milliseconds of a step, from the time fields of a run's metrics.jsonl."""
import json
import statistics
import sys

lines = [json.loads(line) for line in open(sys.argv[1])]
print(f"{1e3 * statistics.median(line['step_s'] for line in lines[5:]):.3f}")
