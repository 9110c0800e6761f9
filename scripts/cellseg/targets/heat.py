"""Steps of heat that spreads in a cell, eight columns at a time, in vector registers.

Plain loops of numba load each of the nine pixels that a sum needs. Here a row is loaded once and
kept for the two rows after it, which a compiler does not find out by itself.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

COLUMNS = 8
"""Columns of a strip, one a bit of a byte of its mask."""

SHARE = 1 / 9
"""Of a pixel's heat, what it and each of its eight neighbours get in a step."""

_FLOATS = ir.VectorType(ir.DoubleType(), COLUMNS)
_BITS = ir.VectorType(ir.IntType(1), COLUMNS)


@intrinsic
def spread(typing_context, heat, next_heat, mask, place, first, rows, stride):
    """One step of a strip of rows of :data:`COLUMNS` pixels, from `heat` to `next_heat`.

    Pixels of the cell become the mean of the 3 x 3 pixels round them, all others 0. The order of
    the sum, which decides its last bits, is: the pixel, above, below, left, right, then the corners
    above and those below, the left one first.

    Parameters
    ----------
    heat, next_heat : ndarray of float64, contiguous; rows one after the other, with one more row
        above and below those of the strip, and one more pixel at its beginning and end
    mask : ndarray of uint8, contiguous
        A byte a row of the strip; its lowest bit is the first pixel.
    place : uint64; of the strip's first pixel in `heat`
    first : uint64; of the first row in `mask`
    rows : uint64
    stride : uint64; from a pixel to the one below it
    """
    arguments = (heat, next_heat, mask, place, first, rows, stride)

    def generate(context, builder, signature, values):
        source, target, bits = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args[:3], values[:3], strict=True)
        )
        place, first, rows, stride = values[3:]
        one = place.type(1)

        def load(at):
            address = builder.bitcast(builder.gep(source, [at]), _FLOATS.as_pointer())
            return builder.load(address, align=8)

        def load_row(at):
            """The pixels left of those of a row, these, and those right of them."""
            return [load(builder.sub(at, one)), load(at), load(builder.add(at, one))]

        # Variables that the compiler keeps in registers.
        kept = [cgutils.alloca_once(builder, _FLOATS) for _ in range(6)]
        for variable, value in zip(
            kept, load_row(builder.sub(place, stride)) + load_row(place), strict=True
        ):
            builder.store(value, variable)
        here = cgutils.alloca_once_value(builder, place)
        with cgutils.for_range(builder, rows) as loop:
            at = builder.load(here)
            below_at = builder.add(at, stride)
            above, middle = (
                [builder.load(variable) for variable in kept[:3]],
                [builder.load(variable) for variable in kept[3:]],
            )
            below = load_row(below_at)
            total = middle[1]
            for term in (above[1], below[1], middle[0], middle[2],
                         above[0], above[2], below[0], below[2]):  # fmt: skip
                total = builder.fadd(total, term)
            mean = builder.fmul(total, ir.Constant(_FLOATS, [SHARE] * COLUMNS))
            row_bits = builder.load(builder.gep(bits, [builder.add(first, loop.index)]))
            nothing = ir.Constant(_FLOATS, [0.0] * COLUMNS)
            mean = builder.select(builder.bitcast(row_bits, _BITS), mean, nothing)
            address = builder.bitcast(builder.gep(target, [at]), _FLOATS.as_pointer())
            builder.store(mean, address, align=8)
            for variable, value in zip(kept, middle + below, strict=True):
                builder.store(value, variable)
            builder.store(below_at, here)
        return context.get_dummy_value()

    return types.void(*arguments), generate
