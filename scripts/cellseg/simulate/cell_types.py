"""How the eight cell types of LIVECell look: one row of numbers each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CellType:
    """What the simulator knows about a cell type.

    Lengths are in pixels of LIVECell's frames, times in hours, and heights in grey values: the
    optical thickness before the microscope takes differences of it.

    Attributes
    ----------
    name : LIVECell's spelling
    rows, columns : the wells of the plate that hold this type
    cells : number in a frame of 520 x 704 pixels at the start and after four days
    radius : median, of a disc of the cell's area
    radius_spread : standard deviation of the logarithm of the radius
    elongation : typical ratio of the body's long to its short axis
    arms : mean number of processes (corners, spikes, neurites) of a cell
    arm_length : mean reach of a process from the centre, in radii
    arm_width : half width of a process at its root, in radii
    fillet : how far body and processes blend, in radii; large values give concave sides
    ruffle : amplitude of the outline's waviness
    clumping : probability that a cell sits next to another one, at the start and after four days
    compactness : how much a cell prefers places with many neighbours
    spacing : distance of neighbours' centres in units of the sum of their radii; below one, cells
        press each other flat
    adhesion : how far neighbours bridge the gap between them, in radii
    height : step at the rim of a spread cell
    membrane : strength of the bright line around it
    dome : what the cell's middle rises above the rim
    edge : width of the rim
    lamella : width of the smooth margin without granules, in radii
    texture : standard deviation of the fine grain of the cytoplasm
    granules, droplets : dark and bright bodies, number per pixel
    granule_height : their thickness
    nucleus : height of the nucleus' step, negative for a pale one
    nucleus_radius : in radii of the cell
    nucleoli : mean number in a nucleus
    rounded : fraction of rounded (floating, dividing or dying) cells at the start and after four
        days
    rounded_height : step at the rim of a rounded cell
    debris : number of small bodies in a frame of 520 x 704 pixels that are no cells
    blur : width of the point spread function
    spindles : share of the spread cells that are drawn out to both sides
    vigour : standard deviation of the logarithm of each cell's contrast
    veil : largest width of a margin that is thin and nearly without texture, in radii; each cell
        draws its own
    seams : share of the contacts of spread cells where no border is seen
    faint_rims : share of the rims of spread cells without a step and without a bright line
    grain : how far the fine grain is as strong at the rim of a cell as in its middle, 0 to 1
    nuclei : how clear nuclei are, 0 to 1: by more and thicker nucleoli and fewer granules
    """

    name: str
    rows: str
    columns: tuple[int, ...]
    cells: tuple[float, float]
    radius: float
    radius_spread: float
    elongation: float
    arms: float
    arm_length: float
    arm_width: float
    fillet: float
    ruffle: float
    clumping: tuple[float, float]
    compactness: float
    spacing: float
    adhesion: float
    height: float
    membrane: float
    dome: float
    edge: float
    lamella: float
    texture: float
    granules: float
    droplets: float
    granule_height: float
    nucleus: float
    nucleus_radius: float
    nucleoli: float
    rounded: tuple[float, float]
    rounded_height: float
    debris: float
    blur: float
    spindles: float = 0.0
    vigour: float = 0.3
    veil: float = 0.0
    seams: float = 0.0
    faint_rims: float = 0.0
    grain: float = 0.0
    nuclei: float = 0.0


CELL_TYPES: dict[str, CellType] = {
    kind.name: kind
    for kind in (
        # Glioblastoma: polygonal to spindle-shaped, drawn out between points of attachment.
        CellType(
            "A172", "ABCD", (5, 6, 7), cells=(75, 260),
            radius=17.5, radius_spread=0.33, elongation=2.0,
            arms=2.8, arm_length=2.1, arm_width=0.62, fillet=0.5, ruffle=0.5,
            clumping=(0.4, 0.6), compactness=0.0, spacing=0.72, adhesion=0.3,
            height=25.6, membrane=13.7, dome=20, edge=1.0, lamella=0.02,
            texture=11, granules=0.05, droplets=0.025, granule_height=46.8,
            nucleus=-8, nucleus_radius=0.42, nucleoli=1.2,
            rounded=(0.06, 0.05), rounded_height=110, debris=15, blur=0.52,
        ),
        # Breast: epithelial rafts of polygonal cells among much debris.
        CellType(
            "BT474", "ABCD", (1, 2, 3), cells=(110, 260),
            radius=12.5, radius_spread=0.25, elongation=1.35,
            arms=2.6, arm_length=1.45, arm_width=0.65, fillet=0.35, ruffle=0.4,
            clumping=(0.75, 0.92), compactness=0.25, spacing=0.76, adhesion=0.9,
            height=28.9, membrane=15.8, dome=20, edge=1.0, lamella=0.02,
            texture=12.6, granules=0.05, droplets=0.035, granule_height=54,
            nucleus=-8, nucleus_radius=0.45, nucleoli=1.0,
            rounded=(0.10, 0.07), rounded_height=110, debris=130, blur=0.52,
        ),
        # Microglia: small and round, single or in loose groups, dense at the end.
        CellType(
            "BV2", "ABCD", (4, 5, 6), cells=(160, 1200),
            radius=7.0, radius_spread=0.16, elongation=1.15,
            arms=1.0, arm_length=1.4, arm_width=0.45, fillet=0.2, ruffle=0.3,
            clumping=(0.45, 0.85), compactness=0.05, spacing=0.92, adhesion=0.2,
            height=60, membrane=30, dome=40, edge=1.2, lamella=0.0,
            texture=22, granules=0.03, droplets=0.02, granule_height=80,
            nucleus=0, nucleus_radius=0.5, nucleoli=0.3,
            rounded=(0.45, 0.35), rounded_height=110, debris=25, blur=0.56,
        ),
        # Liver: large, flat and very granular, outline often faint.
        CellType(
            "Huh7", "ABCD", (10, 11, 12), cells=(35, 130),
            radius=19, radius_spread=0.40, elongation=1.25,
            arms=2.0, arm_length=1.25, arm_width=0.6, fillet=0.4, ruffle=0.8,
            clumping=(0.75, 0.9), compactness=0.15, spacing=0.72, adhesion=0.9,
            height=14.4, membrane=8.5, dome=10, edge=1.2, lamella=0.12,
            texture=12.6, granules=0.07, droplets=0.04, granule_height=61.8,
            nucleus=-8, nucleus_radius=0.40, nucleoli=1.5,
            rounded=(0.15, 0.08), rounded_height=90, debris=20, blur=0.52,
        ),
        # Breast: small cells, single at first, then closed epithelial sheets.
        CellType(
            "MCF7", "EFGH", (4, 5, 6), cells=(110, 1100),
            radius=9.0, radius_spread=0.20, elongation=1.25,
            arms=2.2, arm_length=1.35, arm_width=0.6, fillet=0.3, ruffle=0.3,
            clumping=(0.65, 0.97), compactness=0.25, spacing=0.74, adhesion=1.2,
            height=51, membrane=24, dome=30, edge=1.0, lamella=0.0,
            texture=22, granules=0.04, droplets=0.03, granule_height=80,
            nucleus=-8, nucleus_radius=0.45, nucleoli=1.0,
            rounded=(0.55, 0.03), rounded_height=150, debris=15, blur=0.52,
        ),
        # Neuroblastoma: small bodies with long thin neurites, in clumps.
        CellType(
            "SHSY5Y", "ABCD", (7, 8, 9), cells=(180, 620),
            radius=8.0, radius_spread=0.22, elongation=1.7,
            arms=2.2, arm_length=3.0, arm_width=0.3, fillet=0.3, ruffle=0.3,
            clumping=(0.7, 0.9), compactness=0.1, spacing=0.80, adhesion=0.4,
            height=45, membrane=22.1, dome=25, edge=1.0, lamella=0.0,
            texture=16, granules=0.04, droplets=0.02, granule_height=70,
            nucleus=-6, nucleus_radius=0.45, nucleoli=0.7,
            rounded=(0.10, 0.08), rounded_height=120, debris=40, blur=0.55,
        ),
        # Breast: round, loosely attached, high contrast, in grape-like clumps.
        CellType(
            "SkBr3", "EFGH", (1, 2, 3), cells=(180, 650),
            radius=8.8, radius_spread=0.14, elongation=1.1,
            arms=0.4, arm_length=1.3, arm_width=0.5, fillet=0.2, ruffle=0.2,
            clumping=(0.7, 0.9), compactness=0.1, spacing=0.93, adhesion=0.3,
            height=70, membrane=35, dome=45, edge=1.3, lamella=0.0,
            texture=25, granules=0.03, droplets=0.02, granule_height=90,
            nucleus=0, nucleus_radius=0.5, nucleoli=0.3,
            rounded=(0.65, 0.55), rounded_height=125, debris=20, blur=0.56,
        ),
        # Ovary: large, flat, with a smooth lamella around a well visible nucleus.
        CellType(
            "SKOV3", "EFGH", (10, 11, 12), cells=(45, 110),
            radius=19, radius_spread=0.30, elongation=1.4,
            arms=2.0, arm_length=1.6, arm_width=0.5, fillet=0.5, ruffle=0.7,
            clumping=(0.4, 0.7), compactness=0.0, spacing=0.85, adhesion=0.4,
            height=22.1, membrane=13.5, dome=45, edge=1.2, lamella=0.2,
            texture=14.2, granules=0.03, droplets=0.015, granule_height=60,
            nucleus=25, nucleus_radius=0.42, nucleoli=1.2,
            rounded=(0.12, 0.08), rounded_height=130, debris=12, blur=0.58,
        ),
    )
}  # fmt: skip

# What seeds a type's frames: they are the same whichever other types are simulated.
TYPE_NUMBERS = {name: number for number, name in enumerate(sorted(CELL_TYPES))}
