"""What a network looks at: which words moved a decision."""

from recurra.inspection.attribution import gradient_times_input, occlusion, pair_gradient_times_input

__all__ = ["gradient_times_input", "occlusion", "pair_gradient_times_input"]
