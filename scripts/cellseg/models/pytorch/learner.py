"""A network of torch in training: its optimiser and state."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cellseg.io import run_files
from cellseg.models.keras3.tensorboard import EventFile
from cellseg.models.pytorch import starting, state_files
from cellseg.models.pytorch.averages import Averages
from cellseg.training.batches import TileStream
from cellseg.training.start import Start

Build = Callable[[Mapping], nn.Module]
"""From the settings of a model to a network with random weights."""
Batch = tuple
"""Images (N, H, W, 1), float32, and what the family learns of them."""

HALF_FLOATS = {"float16": torch.float16, "bfloat16": torch.bfloat16}
BATCH_NORMS = nn.modules.batchnorm._BatchNorm


class TorchLearner(ABC):
    """A network with its optimiser; see :class:`cellseg.training.loop.Learner`.

    The seed decides initial weights and all that is drawn in training. On a CPU equal seeds and
    threads give equal weights, bit by bit, resumed or not.

    Attributes
    ----------
    BACKBONE, HEADS : beginnings of the names, in the state dict, of what makes features of the
        image, and of what gives the heads; see :mod:`cellseg.models.starting`
    """

    BACKBONE: str
    HEADS: Sequence[str]

    def __init__(
        self, build: Build, settings: Mapping, folder: Path, start: Start | None = None
    ) -> None:
        options = settings["training"]
        self.seed = settings["seed"]
        torch.manual_seed(self.seed)
        torch.backends.cudnn.deterministic = True
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = build(settings["model"])
        parts = self.BACKBONE, self.HEADS
        self._begun = (
            starting.Begun()
            if start is None
            else starting.begin(self.model, start, *parts, self._renamed)
        )
        self.model.to(self.device)
        norms = {name: one for name, one in self.model.named_modules()
                 if isinstance(one, BATCH_NORMS)}  # fmt: skip
        fixed = [name for name in norms if f"{name}.running_mean" in self._begun.frozen]
        self._norms = [one for name, one in norms.items() if name not in fixed]
        self._fixed_norms = [norms[name] for name in fixed]
        if options["batch_norm_momentum"] is not None:
            for norm in self._norms:
                norm.momentum = 1 - options["batch_norm_momentum"]
        named = dict(self.model.named_parameters())
        self.trained = [one for one in named.values() if one.requires_grad]
        self._slow = {id(named[name]) for name in self._begun.slow & named.keys()}
        self.kernels = [one for one in self.trained if one.ndim > 1]
        self.l2, self.clip = options["l2"], options["clipnorm"]
        self.global_clip = options["global_clipnorm"]
        self.optimizer = self._optimizer(settings["model"], options)
        self.half = HALF_FLOATS.get(options["mixed_precision"])
        scaled = self.half is torch.float16 and self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=scaled)
        self._averages, self.steps = Averages(self.model, options["ema"], self._begun.frozen), 0
        self.events = EventFile(folder / run_files.TENSORBOARD)

    def train_batch(self, batch: Batch, rate: float) -> dict[str, float]:
        self._averages.put_back()
        for group, factor in zip(self.optimizer.param_groups, self._factors, strict=True):
            group["lr"] = rate * factor
        self._training_mode()
        losses = self._losses(batch)
        total = sum(losses.values())
        self.optimizer.zero_grad(set_to_none=True)
        if total.requires_grad:  # not of images without cells, where masks alone are trained
            self.scaler.scale(total).backward()
            self.scaler.unscale_(self.optimizer)
            self._change_gradients()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.steps += 1
        self._averages.update(self.steps)
        return _named(losses)

    def validate_batch(self, batch: Batch) -> dict[str, float]:
        self._averages.use()
        self._validation_mode()
        devices = [self.device] if self.device.type == "cuda" else []
        # What is drawn here must change nothing in training, and be the same in each epoch.
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.seed)
            return _named(self._losses(batch))

    def recalibrate(self, stream: TileStream, batches: int) -> None:
        """Measure the averages of batch norms again; group norms and frozen ones have none."""
        if not self._norms:
            return
        self._averages.use()
        self._training_mode()
        momenta = [norm.momentum for norm in self._norms]
        for norm in self._norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over batches
        with torch.no_grad():
            for _, batch in zip(range(batches), stream.endless(), strict=False):
                self._losses(batch)
        for norm, momentum in zip(self._norms, momenta, strict=True):
            norm.momentum = momentum

    def save_state(self, folder: Path) -> None:
        self._averages.put_back()
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "averages": self._averages.values,
            "steps": self.steps,
            "random": torch.get_rng_state(),
            "random of GPU": (
                torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
            ),
        }
        torch.save(state, folder / "state.pt")

    def load_state(self, folder: Path) -> None:
        self._averages.put_back()
        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self._averages.load(state["averages"], self.device)
        self.steps = state["steps"]
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["random of GPU"] is not None:
            torch.cuda.set_rng_state(state["random of GPU"], self.device)

    def save_weights(self, path: Path) -> None:
        self._averages.use()
        state_files.write(self.model.state_dict(), path)

    def load_weights(self, path: Path) -> None:
        state_files.load(self.model, path)
        self._averages.restart()

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        self.events.write(epoch, row)

    @abstractmethod
    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        """Losses by name, whose sum is minimised; computed in :meth:`_precision`."""

    def _renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A state dict to start from, with the names of this network."""
        return state

    def _training_mode(self) -> None:
        self.model.train()
        for norm in self._fixed_norms:
            norm.eval()

    def _validation_mode(self) -> None:
        self._training_mode()  # torchvision gives losses in training only
        for norm in self._norms:
            norm.eval()

    def _precision(self) -> torch.autocast:
        """Context in which the network computes in half floats, if settings say so."""
        return torch.autocast(self.device.type, self.half, enabled=self.half is not None)

    def _optimizer(self, model: Mapping, options: Mapping) -> torch.optim.Optimizer:
        """Adam with decoupled decay, or SGD with momentum."""
        kinds = [(decays, slow) for slow in (False, True)[: 1 + bool(self._slow)]
                 for decays in (True, False)]  # fmt: skip
        groups = [
            {"params": [one for one in self.trained
                        if (self._decays(one), id(one) in self._slow) == kind],
             "weight_decay": options["weight_decay"] if kind[0] else 0.0}
            for kind in kinds
        ]  # fmt: skip
        self._factors = [self._begun.rate if slow else 1.0 for _, slow in kinds]
        rate = options["learning_rate"]
        if model["optimizer"] == "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=model["momentum"])
        return torch.optim.AdamW(groups, lr=rate)

    def _decays(self, weights: nn.Parameter) -> bool:
        """Whether weights decay: kernels alone."""
        return weights.ndim > 1

    def _change_gradients(self) -> None:
        """Regularise kernels, then clip."""
        if self.l2:
            for kernel in self.kernels:
                if kernel.grad is not None:
                    kernel.grad.add_(kernel.detach(), alpha=2 * self.l2)
        if self.clip:
            for one in self.trained:
                if one.grad is not None:
                    nn.utils.clip_grad_norm_([one], self.clip)
        if self.global_clip:
            nn.utils.clip_grad_norm_(self.trained, self.global_clip)


def _named(losses: Mapping[str, Tensor]) -> dict[str, float]:
    """Losses as the loop wants them: their sum, and each by name."""
    values = {
        f"{name.removeprefix('loss_').removesuffix('_loss')}_loss": float(value.detach())
        for name, value in losses.items()
    }
    return {"loss": sum(values.values()), **values}
