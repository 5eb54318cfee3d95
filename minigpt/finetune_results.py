"""What came out of a fine-tuning: a table beside the simple classifiers, and files in its folder."""
import json

from minigpt.classification_baselines import baselines as all_baselines
from minigpt.early_stopping import learned
from minigpt.finetuned_runs import CONFUSION, RESULTS


def finish(job, result, *, baselines=True, progress=None):
    """Judge a job that is trained, and write its best weights and results into its folder; returns the results.

    result: of job.train. baselines: train the simple classifiers as well.
    """
    scores, calibrated, temperature = job.judge(progress)
    seconds = result.seconds + job.seconds
    ours = {"name": f"{_short(job.config.start['name'])}, {job.config.method}", "accuracy": scores.accuracy,
            "macro_f1": scores.macro_f1, "ece": calibrated.ece, "seconds": seconds, "parameters": job.n_trained}
    stopping = job.stopping
    results = {"table": [*([b._asdict() for b in _simple(job.task)] if baselines else []), ours],
               "labels": list(job.config.labels), "confusion": scores.matrix.tolist(), "n_test": len(job.task.test),
               "ece_before": scores.ece, "temperature": temperature, "steps": result.steps,
               "best_step": stopping.step if stopping.weights else result.steps, "uses_validation": job.uses_validation}
    if job.run is not None:
        files = {RESULTS: json.dumps(results, indent=2).encode()}
        job.run.finish(result.steps, learned(job.model), temperature, files)
        _draw(results, job.run.folder / CONFUSION)
    return results


def table(results):
    """The results as lines of text."""
    head = f"{'':32}{'accuracy':>9}{'macro F1':>10}{'ECE':>8}{'seconds':>9}{'parameters':>12}"
    lines = [head, *(_row(row) for row in results["table"])]
    told = [f"judged on {results['n_test']:,} texts that none of them has seen"]
    if results["uses_validation"]:
        told.append(f"best after step {results['best_step']:,} of {results['steps']:,} by validation loss; temperature "
                    f"{results['temperature']:.2f} (ECE without it: {results['ece_before']:.3f})")
    else:
        told.append("the validation labels were not used")
    return "\n".join([*lines, *told])


def _row(row):
    ece = "-" if row["ece"] is None else f"{row['ece']:.3f}"
    return (f"{row['name']:32}{row['accuracy']:9.3f}{row['macro_f1']:10.3f}{ece:>8}{row['seconds']:9.1f}"
            f"{row['parameters']:12,}")


def _simple(task):
    try:
        yield from all_baselines(task)
    except ImportError:
        print("the simple classifiers need scikit-learn: pip install scikit-learn")


def _short(name):
    return name.rstrip("/").rpartition("/")[2][-24:]


def _draw(results, path):
    from minigpt.class_pictures import confusion_picture  # matplotlib loads slowly
    from minigpt.pictures import save
    save(confusion_picture(results["confusion"], results["labels"]), path)
