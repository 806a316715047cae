"""The losses of prompt tuning; torch only, on nnU-Net's shapes and targets.

SLPT's total loss, of K prompts P_k with predictions Y_k of a target Y (arXiv:2308.04911, section 2.2), is

    L = Σ_k [λ1 Tversky(Y_k, Y; α_k, β_k) + λ2 CE(Y_k, Y)] + λ3 L_div,   L_div = Σ_{k1 < k2} cos(P_k1, P_k2)

- Tversky: ``tversky.py``
- λ1 Tversky + λ2 CE for one k: ``prompt_loss.py``; over the outputs of deep supervision
  ``trainers/objective.py``
- L_div: ``diversity.py``, which squares the cosines of the centred prompts
- L: ``train_step`` in ``trainers/slpt.py``

PUNet's pretraining has ``focal.py`` and ``cpa``.

Must not import nnU-Net, the networks or the trainers.
"""

__all__ = ["PromptLoss", "TverskyLoss", "diversity_loss", "focal_loss", "pairwise_cosine"]

from nnunet_slpt.losses.diversity import diversity_loss, pairwise_cosine
from nnunet_slpt.losses.focal import focal_loss
from nnunet_slpt.losses.prompt_loss import PromptLoss
from nnunet_slpt.losses.tversky import TverskyLoss
