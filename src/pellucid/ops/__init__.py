"""What each operation means: one file for each; and the same as plain functions.

`pellucid.ops.softmax`, `pellucid.ops.conv` and their kind are functions with `keras.ops`' names and
arguments. The operations themselves, with gradients and the account of every number, are classes in
modules of their own (`from pellucid.ops.softmax import Softmax`); `operations()` has all of them.
"""

from typing import TYPE_CHECKING

from pellucid._lazy import load_on_use
from pellucid.ops import image as image

if TYPE_CHECKING:
    from pellucid.ops._activation_functions import celu as celu
    from pellucid.ops._activation_functions import elu as elu
    from pellucid.ops._activation_functions import exp as exp
    from pellucid.ops._activation_functions import gelu as gelu
    from pellucid.ops._activation_functions import hard_shrink as hard_shrink
    from pellucid.ops._activation_functions import hard_sigmoid as hard_sigmoid
    from pellucid.ops._activation_functions import hard_silu as hard_silu
    from pellucid.ops._activation_functions import hard_swish as hard_swish
    from pellucid.ops._activation_functions import hard_tanh as hard_tanh
    from pellucid.ops._activation_functions import leaky_relu as leaky_relu
    from pellucid.ops._activation_functions import linear as linear
    from pellucid.ops._activation_functions import log_sigmoid as log_sigmoid
    from pellucid.ops._activation_functions import log_softmax as log_softmax
    from pellucid.ops._activation_functions import mish as mish
    from pellucid.ops._activation_functions import relu as relu
    from pellucid.ops._activation_functions import relu6 as relu6
    from pellucid.ops._activation_functions import selu as selu
    from pellucid.ops._activation_functions import sigmoid as sigmoid
    from pellucid.ops._activation_functions import silu as silu
    from pellucid.ops._activation_functions import soft_shrink as soft_shrink
    from pellucid.ops._activation_functions import softmax as softmax
    from pellucid.ops._activation_functions import softplus as softplus
    from pellucid.ops._activation_functions import softsign as softsign
    from pellucid.ops._activation_functions import sparse_plus as sparse_plus
    from pellucid.ops._activation_functions import sparse_sigmoid as sparse_sigmoid
    from pellucid.ops._activation_functions import squareplus as squareplus
    from pellucid.ops._activation_functions import swish as swish
    from pellucid.ops._activation_functions import tanh as tanh
    from pellucid.ops._activation_functions import tanh_shrink as tanh_shrink
    from pellucid.ops._activation_functions import threshold as threshold
    from pellucid.ops._array_functions import broadcast_to as broadcast_to
    from pellucid.ops._array_functions import cast as cast
    from pellucid.ops._array_functions import concatenate as concatenate
    from pellucid.ops._array_functions import expand_dims as expand_dims
    from pellucid.ops._array_functions import moveaxis as moveaxis
    from pellucid.ops._array_functions import ravel as ravel
    from pellucid.ops._array_functions import repeat as repeat
    from pellucid.ops._array_functions import reshape as reshape
    from pellucid.ops._array_functions import split as split
    from pellucid.ops._array_functions import squeeze as squeeze
    from pellucid.ops._array_functions import stack as stack
    from pellucid.ops._array_functions import swapaxes as swapaxes
    from pellucid.ops._array_functions import take as take
    from pellucid.ops._array_functions import transpose as transpose
    from pellucid.ops._image_functions import depth_to_space as depth_to_space
    from pellucid.ops._image_functions import normalize as normalize
    from pellucid.ops._image_functions import pad as pad
    from pellucid.ops._image_functions import rms_normalization as rms_normalization
    from pellucid.ops._image_functions import space_to_depth as space_to_depth
    from pellucid.ops._loss_functions import binary_crossentropy as binary_crossentropy
    from pellucid.ops._loss_functions import categorical_crossentropy as categorical_crossentropy
    from pellucid.ops._loss_functions import multi_hot as multi_hot
    from pellucid.ops._loss_functions import one_hot as one_hot
    from pellucid.ops._loss_functions import (
        sparse_categorical_crossentropy as sparse_categorical_crossentropy,
    )
    from pellucid.ops._math_functions import abs as abs
    from pellucid.ops._math_functions import absolute as absolute
    from pellucid.ops._math_functions import add as add
    from pellucid.ops._math_functions import arccos as arccos
    from pellucid.ops._math_functions import arccosh as arccosh
    from pellucid.ops._math_functions import arcsin as arcsin
    from pellucid.ops._math_functions import arcsinh as arcsinh
    from pellucid.ops._math_functions import arctan as arctan
    from pellucid.ops._math_functions import arctanh as arctanh
    from pellucid.ops._math_functions import argmax as argmax
    from pellucid.ops._math_functions import argmin as argmin
    from pellucid.ops._math_functions import ceil as ceil
    from pellucid.ops._math_functions import clip as clip
    from pellucid.ops._math_functions import cos as cos
    from pellucid.ops._math_functions import cosh as cosh
    from pellucid.ops._math_functions import divide as divide
    from pellucid.ops._math_functions import equal as equal
    from pellucid.ops._math_functions import erf as erf
    from pellucid.ops._math_functions import expm1 as expm1
    from pellucid.ops._math_functions import floor as floor
    from pellucid.ops._math_functions import greater as greater
    from pellucid.ops._math_functions import greater_equal as greater_equal
    from pellucid.ops._math_functions import less as less
    from pellucid.ops._math_functions import less_equal as less_equal
    from pellucid.ops._math_functions import log as log
    from pellucid.ops._math_functions import log1p as log1p
    from pellucid.ops._math_functions import log2 as log2
    from pellucid.ops._math_functions import log10 as log10
    from pellucid.ops._math_functions import logical_and as logical_and
    from pellucid.ops._math_functions import logical_not as logical_not
    from pellucid.ops._math_functions import logical_or as logical_or
    from pellucid.ops._math_functions import logical_xor as logical_xor
    from pellucid.ops._math_functions import logsumexp as logsumexp
    from pellucid.ops._math_functions import matmul as matmul
    from pellucid.ops._math_functions import max as max
    from pellucid.ops._math_functions import maximum as maximum
    from pellucid.ops._math_functions import mean as mean
    from pellucid.ops._math_functions import min as min
    from pellucid.ops._math_functions import minimum as minimum
    from pellucid.ops._math_functions import multiply as multiply
    from pellucid.ops._math_functions import negative as negative
    from pellucid.ops._math_functions import not_equal as not_equal
    from pellucid.ops._math_functions import power as power
    from pellucid.ops._math_functions import prod as prod
    from pellucid.ops._math_functions import reciprocal as reciprocal
    from pellucid.ops._math_functions import round as round
    from pellucid.ops._math_functions import rsqrt as rsqrt
    from pellucid.ops._math_functions import sign as sign
    from pellucid.ops._math_functions import sin as sin
    from pellucid.ops._math_functions import sinh as sinh
    from pellucid.ops._math_functions import sqrt as sqrt
    from pellucid.ops._math_functions import square as square
    from pellucid.ops._math_functions import std as std
    from pellucid.ops._math_functions import subtract as subtract
    from pellucid.ops._math_functions import sum as sum
    from pellucid.ops._math_functions import tan as tan
    from pellucid.ops._math_functions import true_divide as true_divide
    from pellucid.ops._math_functions import var as var
    from pellucid.ops._math_functions import where as where
    from pellucid.ops._registry import operations as operations
    from pellucid.ops.functional import average_pool as average_pool
    from pellucid.ops.functional import batch_normalization as batch_normalization
    from pellucid.ops.functional import conv as conv
    from pellucid.ops.functional import conv_transpose as conv_transpose
    from pellucid.ops.functional import depthwise_conv as depthwise_conv
    from pellucid.ops.functional import layer_normalization as layer_normalization
    from pellucid.ops.functional import max_pool as max_pool
    from pellucid.ops.functional import separable_conv as separable_conv

load_on_use(
    __name__,
    {
        "pellucid.ops._activation_functions": """
            celu elu exp gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu
            linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax
            softplus softsign sparse_plus sparse_sigmoid squareplus swish tanh tanh_shrink threshold
        """,
        "pellucid.ops._array_functions": """
            broadcast_to cast concatenate expand_dims moveaxis ravel repeat reshape split squeeze
            stack swapaxes take transpose
        """,
        "pellucid.ops._image_functions": """
            depth_to_space normalize pad rms_normalization space_to_depth
        """,
        "pellucid.ops._loss_functions": """
            binary_crossentropy categorical_crossentropy multi_hot one_hot
            sparse_categorical_crossentropy
        """,
        "pellucid.ops._math_functions": """
            abs absolute add arccos arccosh arcsin arcsinh arctan arctanh argmax argmin ceil clip
            cos cosh divide equal erf expm1 floor greater greater_equal less less_equal log log1p
            log2 log10 logical_and logical_not logical_or logical_xor logsumexp matmul max maximum
            mean min minimum multiply negative not_equal power prod reciprocal round rsqrt sign sin
            sinh sqrt square std subtract sum tan true_divide var where
        """,
        "pellucid.ops._registry": "operations",
        "pellucid.ops.functional": """
            average_pool batch_normalization conv conv_transpose depthwise_conv layer_normalization
            max_pool separable_conv
        """,
    },
)
