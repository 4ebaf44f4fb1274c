"""Median milliseconds of a step, from the time fields of a run's metrics.jsonl."""
import json
import statistics
import sys

lines = [json.loads(line) for line in open(sys.argv[1])]
times = [(b["time_s"] - a["time_s"]) / (b["step"] - a["step"]) for a, b in zip(lines, lines[1:]) if b["step"] > a["step"]]
print(f"{1e3 * statistics.median(times):.3f}")
