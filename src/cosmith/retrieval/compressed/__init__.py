"""Compressed vectors: transforms, codes, and the search over them, by forms that have names."""

from cosmith.retrieval.compressed.codes import Code, FloatCode, ScaledCode, SignCode, bytes_of
from cosmith.retrieval.compressed.coding import FittedCoding, StoredCodes
from cosmith.retrieval.compressed.form import (
    Coding,
    FaissStructure,
    SearchForm,
    TransformStep,
    parse_form,
    parse_forms,
)
from cosmith.retrieval.compressed.product import ProductCode
from cosmith.retrieval.compressed.rabitq import RaBitQCode
from cosmith.retrieval.compressed.transforms import Transform, fit_pca, fit_whitening, nested_cut, rotation
from cosmith.retrieval.compressed.vectors import CompressedVectors, neighbour_recall

__all__ = [
    "Code",
    "Coding",
    "CompressedVectors",
    "FaissStructure",
    "FittedCoding",
    "FloatCode",
    "ProductCode",
    "RaBitQCode",
    "ScaledCode",
    "SearchForm",
    "SignCode",
    "StoredCodes",
    "Transform",
    "TransformStep",
    "bytes_of",
    "fit_pca",
    "fit_whitening",
    "neighbour_recall",
    "nested_cut",
    "parse_form",
    "parse_forms",
    "rotation",
]
