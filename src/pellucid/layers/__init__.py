"""Layers, with Keras' names, arguments and defaults.

A layer owns its weights and states what it computes as operations; nothing else.
"""

from typing import TYPE_CHECKING

from pellucid._lazy import load_on_use

if TYPE_CHECKING:
    from pellucid.layers._layer import Layer as Layer
    from pellucid.layers._layer import serialize as serialize
    from pellucid.layers._operation import OperationLayer as OperationLayer
    from pellucid.layers._registry import deserialize as deserialize
    from pellucid.layers.activations import ELU as ELU
    from pellucid.layers.activations import LeakyReLU as LeakyReLU
    from pellucid.layers.activations import PReLU as PReLU
    from pellucid.layers.activations import ReLU as ReLU
    from pellucid.layers.activations import Softmax as Softmax
    from pellucid.layers.adapted_normalization import Normalization as Normalization
    from pellucid.layers.convolution import Conv2D as Conv2D
    from pellucid.layers.convolution import Conv2DTranspose as Conv2DTranspose
    from pellucid.layers.convolution import Convolution2D as Convolution2D
    from pellucid.layers.convolution import Convolution2DTranspose as Convolution2DTranspose
    from pellucid.layers.convolution import DepthwiseConv2D as DepthwiseConv2D
    from pellucid.layers.convolution import SeparableConv2D as SeparableConv2D
    from pellucid.layers.convolution import SeparableConvolution2D as SeparableConvolution2D
    from pellucid.layers.core import Activation as Activation
    from pellucid.layers.core import Dense as Dense
    from pellucid.layers.core import Dropout as Dropout
    from pellucid.layers.core import Identity as Identity
    from pellucid.layers.core import SpatialDropout2D as SpatialDropout2D
    from pellucid.layers.input import Input as Input
    from pellucid.layers.input import InputLayer as InputLayer
    from pellucid.layers.merging import Add as Add
    from pellucid.layers.merging import Average as Average
    from pellucid.layers.merging import Concatenate as Concatenate
    from pellucid.layers.merging import Maximum as Maximum
    from pellucid.layers.merging import Minimum as Minimum
    from pellucid.layers.merging import Multiply as Multiply
    from pellucid.layers.merging import Subtract as Subtract
    from pellucid.layers.merging import add as add
    from pellucid.layers.merging import average as average
    from pellucid.layers.merging import concatenate as concatenate
    from pellucid.layers.merging import maximum as maximum
    from pellucid.layers.merging import minimum as minimum
    from pellucid.layers.merging import multiply as multiply
    from pellucid.layers.merging import subtract as subtract
    from pellucid.layers.noise import AlphaDropout as AlphaDropout
    from pellucid.layers.noise import GaussianDropout as GaussianDropout
    from pellucid.layers.noise import GaussianNoise as GaussianNoise
    from pellucid.layers.normalization import BatchNormalization as BatchNormalization
    from pellucid.layers.normalization import GroupNormalization as GroupNormalization
    from pellucid.layers.normalization import LayerNormalization as LayerNormalization
    from pellucid.layers.normalization import RMSNormalization as RMSNormalization
    from pellucid.layers.normalization import UnitNormalization as UnitNormalization
    from pellucid.layers.one_dimensional import AveragePooling1D as AveragePooling1D
    from pellucid.layers.one_dimensional import AvgPool1D as AvgPool1D
    from pellucid.layers.one_dimensional import Conv1D as Conv1D
    from pellucid.layers.one_dimensional import Convolution1D as Convolution1D
    from pellucid.layers.one_dimensional import Cropping1D as Cropping1D
    from pellucid.layers.one_dimensional import GlobalAveragePooling1D as GlobalAveragePooling1D
    from pellucid.layers.one_dimensional import GlobalAvgPool1D as GlobalAvgPool1D
    from pellucid.layers.one_dimensional import GlobalMaxPool1D as GlobalMaxPool1D
    from pellucid.layers.one_dimensional import GlobalMaxPooling1D as GlobalMaxPooling1D
    from pellucid.layers.one_dimensional import MaxPool1D as MaxPool1D
    from pellucid.layers.one_dimensional import MaxPooling1D as MaxPooling1D
    from pellucid.layers.one_dimensional import SpatialDropout1D as SpatialDropout1D
    from pellucid.layers.one_dimensional import UpSampling1D as UpSampling1D
    from pellucid.layers.one_dimensional import ZeroPadding1D as ZeroPadding1D
    from pellucid.layers.pooling import AveragePooling2D as AveragePooling2D
    from pellucid.layers.pooling import AvgPool2D as AvgPool2D
    from pellucid.layers.pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
    from pellucid.layers.pooling import GlobalAvgPool2D as GlobalAvgPool2D
    from pellucid.layers.pooling import GlobalMaxPool2D as GlobalMaxPool2D
    from pellucid.layers.pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
    from pellucid.layers.pooling import MaxPool2D as MaxPool2D
    from pellucid.layers.pooling import MaxPooling2D as MaxPooling2D
    from pellucid.layers.preprocessing import RandomBrightness as RandomBrightness
    from pellucid.layers.preprocessing import RandomContrast as RandomContrast
    from pellucid.layers.preprocessing import RandomFlip as RandomFlip
    from pellucid.layers.preprocessing import Rescaling as Rescaling
    from pellucid.layers.preprocessing import Resizing as Resizing
    from pellucid.layers.random_transforms import RandomRotation as RandomRotation
    from pellucid.layers.random_transforms import RandomTranslation as RandomTranslation
    from pellucid.layers.random_transforms import RandomZoom as RandomZoom
    from pellucid.layers.reshaping import Flatten as Flatten
    from pellucid.layers.reshaping import Permute as Permute
    from pellucid.layers.reshaping import Reshape as Reshape
    from pellucid.layers.resizing import Cropping2D as Cropping2D
    from pellucid.layers.resizing import UpSampling2D as UpSampling2D
    from pellucid.layers.resizing import ZeroPadding2D as ZeroPadding2D

load_on_use(
    __name__,
    {
        "pellucid.layers._layer": "Layer serialize",
        "pellucid.layers._operation": "OperationLayer",
        "pellucid.layers._registry": "deserialize",
        "pellucid.layers.activations": "ELU LeakyReLU PReLU ReLU Softmax",
        "pellucid.layers.adapted_normalization": "Normalization",
        "pellucid.layers.convolution": """
            Conv2D Conv2DTranspose Convolution2D Convolution2DTranspose DepthwiseConv2D
            SeparableConv2D SeparableConvolution2D
        """,
        "pellucid.layers.core": "Activation Dense Dropout Identity SpatialDropout2D",
        "pellucid.layers.input": "Input InputLayer",
        "pellucid.layers.merging": """
            Add Average Concatenate Maximum Minimum Multiply Subtract add average concatenate
            maximum minimum multiply subtract
        """,
        "pellucid.layers.noise": "AlphaDropout GaussianDropout GaussianNoise",
        "pellucid.layers.normalization": """
            BatchNormalization GroupNormalization LayerNormalization RMSNormalization
            UnitNormalization
        """,
        "pellucid.layers.one_dimensional": """
            AveragePooling1D AvgPool1D Conv1D Convolution1D Cropping1D GlobalAveragePooling1D
            GlobalAvgPool1D GlobalMaxPool1D GlobalMaxPooling1D MaxPool1D MaxPooling1D
            SpatialDropout1D UpSampling1D ZeroPadding1D
        """,
        "pellucid.layers.pooling": """
            AveragePooling2D AvgPool2D GlobalAveragePooling2D GlobalAvgPool2D GlobalMaxPool2D
            GlobalMaxPooling2D MaxPool2D MaxPooling2D
        """,
        "pellucid.layers.preprocessing": """
            RandomBrightness RandomContrast RandomFlip Rescaling Resizing
        """,
        "pellucid.layers.random_transforms": "RandomRotation RandomTranslation RandomZoom",
        "pellucid.layers.reshaping": "Flatten Permute Reshape",
        "pellucid.layers.resizing": "Cropping2D UpSampling2D ZeroPadding2D",
    },
)
