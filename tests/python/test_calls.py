"""The manners of a function in Python: errors, Ctrl-C, other threads."""

import signal
import threading

import numpy as np
import pytest

import trimtab


def test_errors_are_exceptions_with_exit_codes(trained, samples, folder):
    with pytest.raises(trimtab.BadInput, match="none.onnx") as caught:
        trimtab.load(folder / "none.onnx")
    assert caught.value.exit_code == 2
    assert isinstance(caught.value, ValueError)
    with pytest.raises(trimtab.BoundNotMet, match="flash takes") as caught:
        trimtab.fit(trained.model_file, data=samples, flash="20KB", out=folder / "missed")
    assert caught.value.exit_code == 3
    assert not (folder / "missed").exists()
    with pytest.raises(trimtab.BadInput, match="--verify"):
        trimtab.fit(trained.model_file, data=samples, verify="many")


def test_samples_of_another_shape_are_refused(fitted):
    with pytest.raises(trimtab.BadInput, match="it must be 3x16x16"):
        fitted(np.zeros((2, 3, 8, 8), np.uint8))
    with pytest.raises(trimtab.BadInput, match="operating points"):
        fitted(np.zeros((2, 3, 16, 16), np.uint8), point=7)
    with pytest.raises(trimtab.BadInput, match="an answer has 4"):
        fitted.dequantize(np.zeros(5, np.int32))


def test_progress_is_told_and_other_threads_run_meanwhile(trained, samples, folder):
    lines = []
    asked, answered = threading.Event(), threading.Event()
    other = threading.Thread(target=lambda: asked.wait() and answered.set())
    other.start()

    def progress(line):
        lines.append(line)
        asked.set()
        assert answered.wait(60)  # only a thread that can take the interpreter answers

    trimtab.fit(trained.model_file, data=samples, verify=1, progress=progress)
    other.join()
    assert lines


def test_an_exception_of_progress_ends_the_call(trained, samples):
    def progress(line):
        raise KeyError(line)

    with pytest.raises(KeyError):
        trimtab.fit(trained.model_file, data=samples, progress=progress)


def test_ctrl_c_ends_training_and_the_next_call_continues(trained, samples, folder):
    def press(line):
        if "train" in line:
            signal.raise_signal(signal.SIGINT)

    options = {"data": samples, "target": "host", "epochs": 200, "out": folder / "interrupted", "threads": 1}
    with pytest.raises(KeyboardInterrupt):
        trimtab.fit(trained.model_file, **options, progress=press)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not (folder / "interrupted" / "result.json").exists()


def test_torch_modules_are_exported(samples):
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(512, 4)
    )
    pictures = samples[0].astype(np.float32) / 255
    fitted = trimtab.fit(module, data=(pictures, samples[1]), target="host")
    with torch.no_grad():
        real = module(torch.from_numpy(pictures)).numpy()
    np.testing.assert_allclose(fitted.dequantize(fitted(pictures)), real, atol=0.05 * np.abs(real).max())
    assert module.training
