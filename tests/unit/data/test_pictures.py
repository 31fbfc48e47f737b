"""Images of every habit: 16 bits, transparency, grey beside colour, damaged ones, against values by hand."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import recurra as rc
from recurra.data.examples import BadRow, BadRows
from recurra.data.readers.arrays import read_frames, read_image, with_channels
from recurra.data.readers.pictures import read_pictures
from recurra.errors import DataError

RAMP = np.arange(16, dtype=np.uint8).reshape(4, 4) * 17  # 0, 17, …, 255


def saved(folder, name, array, mode=None):
    Image.fromarray(array, mode).save(folder / name)
    return folder / name


@pytest.mark.parametrize("most", [65535, 200])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, most):
    deep = np.linspace(0, most, 16).astype(np.uint16).reshape(4, 4)
    found = read_image(saved(tmp_path, "deep.png", deep))
    assert found.dtype == np.uint8
    assert np.array_equal(found[0], np.rint(deep / 257))


def test_transparent_pixels_are_white(tmp_path):
    pixels = np.zeros((2, 2, 4), dtype=np.uint8)
    pixels[..., 0], pixels[..., 3] = 200, [[0, 255], [51, 255]]
    found = read_image(saved(tmp_path, "clear.png", pixels))
    assert found[:, 0, 0].tolist() == [255, 255, 255]
    assert found[:, 0, 1].tolist() == [200, 0, 0]
    assert found[:, 1, 0].tolist() == [244, 204, 204]  # a fifth of the colour, four fifths of white
    grey = np.stack([RAMP, np.full_like(RAMP, 255)], axis=2)
    grey[0, 0, 1] = 0
    found = read_image(saved(tmp_path, "grey.png", grey, "LA"))
    assert (found.shape, found[0, 0, 0], found[0, 3, 3]) == ((1, 4, 4), 255, 255)
    assert np.array_equal(found[0, 1:], RAMP[1:])
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), "P")
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(tmp_path / "palette.png", transparency=0)
    assert read_image(tmp_path / "palette.png")[:, 0].T.tolist() == [[255, 255, 255], [10, 20, 30]]


def test_grey_beside_colour_becomes_colour(tmp_path):
    saved(tmp_path, "a.png", RAMP)
    saved(tmp_path, "b.png", np.stack([RAMP, RAMP // 2, RAMP // 3], axis=2))
    found = read_pictures(tmp_path).vectors
    assert found.shape == (2, 3, 4, 4)
    assert all(np.array_equal(found[0, channel], RAMP) for channel in range(3))
    grey = with_channels(found, 1)
    assert np.array_equal(grey[0, 0], RAMP)
    luminance = 0.299 * RAMP + 0.587 * (RAMP // 2) + 0.114 * (RAMP // 3)
    assert np.array_equal(grey[1, 0], np.rint(luminance))


def test_images_of_other_sizes_and_damaged_ones_are_named(tmp_path):
    saved(tmp_path, "a.png", RAMP)
    saved(tmp_path, "b.png", RAMP[:2])
    with pytest.raises(DataError, match=r"different sizes: b\.png has \(2, 4\), a\.png \(4, 4\)"):
        read_pictures(tmp_path)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:50])
    with pytest.raises(BadRow, match=r"b\.png cannot be read as an image"):
        read_image(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b\.png: cannot be read as an image"):
        read_pictures(tmp_path)
    bad = BadRows(skip=True)
    assert read_pictures(tmp_path, bad).names == ["a.png"]
    (told,) = bad.sentences
    assert "b.png: cannot be read as an image" in told


def test_a_captioner_reads_grey_and_colour_as_it_was_trained(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, size=(12, 3, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "colour.npy", pixels)
    np.save(tmp_path / "grey.npy", with_channels(pixels, 1))
    rows = (f'{{"image": {i}, "caption": "number {i % 2}"}}\n' for i in range(12))
    (tmp_path / "c.jsonl").write_text("".join(rows))
    options = {"hidden_size": 4, "epochs": 1, "threads": 1, "captions": tmp_path / "c.jsonl"}
    for name, other in (("colour", "grey"), ("grey", "colour")):
        model = rc.Captioner.train(tmp_path / f"{name}.npy", out=tmp_path / name, **options)
        assert len(model.caption(tmp_path / f"{other}.npy")) == 12
        assert model.evaluate(tmp_path / f"{other}.npy", tmp_path / "c.jsonl").texts.texts == 12


def test_the_transparent_value_of_every_depth_is_white(tmp_path):
    deep = np.array([[0, 1000, 65535, 30000]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "16.png", transparency=1000)
    assert read_image(tmp_path / "16.png").tolist() == [[[0, 255, 255, 117]]]
    for depth, raw, clear, wanted in (
        (8, bytes([0, 5, 255, 7]), 5, [0, 255, 255, 7]),
        (4, bytes([0x05, 0xF1]), 5, [0, 255, 255, 17]),
        (2, bytes([0b00_01_11_10]), 1, [0, 255, 255, 170]),
        (1, bytes([0b0101_0000]), 0, [255, 255, 255, 255]),
    ):
        (tmp_path / "x.png").write_bytes(png(4, depth, 0, raw, clear))
        assert read_image(tmp_path / "x.png").tolist() == [[wanted]], depth
    (tmp_path / "x.png").write_bytes(png(1, 16, 2, bytes(6), 0, 0, 0))
    with pytest.raises(BadRow, match=r"x\.png has a transparent colour of 16 bits") as refused:
        read_image(tmp_path / "x.png")
    assert refused.value.ways[0] == "save it with 8 bits per value"


def png(width: int, depth: int, colour: int, row: bytes, *clear: int) -> bytes:
    """A file with one row of pixels and a transparent value, by the letter of the standard."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear))]
    parts += [chunk(b"IDAT", zlib.compress(b"\0" + row)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif"])
def test_images_are_turned_upright(tmp_path, name):
    """Orientation 6: the first row of the file is the right column of the picture."""
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.zeros((8, 16, 3), dtype=np.uint8)
    pixels[:4] = 255
    Image.fromarray(pixels).save(tmp_path / name, exif=exif)
    found = read_image(tmp_path / name)
    assert found.shape == (3, 16, 8)
    assert found[:, :, 4:].min() > 240
    assert found[:, :, :4].max() < 15
    deep = np.arange(8, dtype=np.uint16).reshape(2, 4) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png", exif=exif)
    assert read_image(tmp_path / "deep.png").tolist() == [[[4, 0], [5, 1], [6, 2], [7, 3]]]


def test_floats_are_scaled_from_the_unit_range_and_others_refused(tmp_path):
    found = read_image(saved(tmp_path, "f.tif", np.array([[0, 0.2, 1]], dtype=np.float32)))
    assert found.tolist() == [[[0, 51, 255]]]
    for wrong in (1.01, -0.01, np.nan, 200):
        path = saved(tmp_path, "f.tif", np.array([[0, wrong, 1]], dtype=np.float32))
        with pytest.raises(BadRow, match=r"f\.tif has floats outside of 0 … 1"):
            read_image(path)
    path = saved(tmp_path, "i.tif", np.array([[0, 200]], dtype=np.int32))
    with pytest.raises(BadRow, match=r"i\.tif has integers of 32 bits"):
        read_image(path)
    assert read_image(saved(tmp_path, "u.tif", np.array([[0, 514]], dtype=np.uint16))).tolist() == [[[0, 2]]]
    (tmp_path / "d.pgm").write_bytes(b"P5 2 1 65535\n" + struct.pack(">2H", 200 * 257, 257))
    assert read_image(tmp_path / "d.pgm").tolist() == [[[200, 1]]]


@pytest.mark.parametrize("name", ["x.gif", "x.png", "x.webp", "x.tif"])
def test_files_of_several_frames_are_refused(tmp_path, name):
    frames = [Image.fromarray(np.full((4, 4), value, dtype=np.uint8)) for value in (0, 100, 200)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    with pytest.raises(DataError) as refused:
        read_pictures(tmp_path)
    told = "has 3 frames, expected one; save each as a file, or skip such rows with --skip-bad."
    assert str(refused.value) == f"{tmp_path / name}: {told}"
    with pytest.raises(BadRow, match="has 3 frames"):
        read_frames(tmp_path)


def test_a_photograph_with_a_preview_is_one_image(tmp_path):
    photograph = Image.fromarray(np.full((8, 8, 3), 200, dtype=np.uint8))
    photograph.save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[photograph.resize((4, 4))])
    assert read_image(tmp_path / "x.jpg").shape == (3, 8, 8)


def test_images_of_every_extension_are_read_or_named(tmp_path):
    for number, name in enumerate(
        ["a.tif", "b.TIFF", "c.jfif", "d.PNG", "e.pgm", "f.webp", "g.jp2", "h.tga"]
    ):
        kind = {"c.jfif": "JPEG", "e.pgm": "PPM", "g.jp2": "JPEG2000", "b.TIFF": "TIFF"}.get(name)
        Image.fromarray(np.full((8, 8), number, dtype=np.uint8)).save(tmp_path / name, kind)
    (tmp_path / "labels.txt").write_text("not an image")
    (tmp_path / "._a.tif").write_bytes(b"of another system")
    found = read_pictures(tmp_path)
    assert (len(found), found.names[1]) == (8, "b.TIFF")
    assert len(read_frames(tmp_path)) == 8
    (tmp_path / "i.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(DataError, match=r"i\.heic: cannot be read as an image"):
        read_pictures(tmp_path)


@pytest.mark.parametrize("names", [["a.jpg", "é.jpg"], [b"a.jpg", "é.jpg".encode()], [7, 8]])
def test_names_of_features_are_text_bytes_or_numbers(tmp_path, names):
    np.savez(tmp_path / "x.npz", features=np.eye(2), names=np.array(names))
    found = read_pictures(tmp_path / "x.npz")
    for row, name in enumerate(["7", "8"] if names[0] == 7 else ["a.jpg", "é.jpg"]):
        assert found.of(name).tolist() == np.eye(2)[row].tolist()


@pytest.mark.parametrize(
    ("names", "told"),
    [([np.nan, 1.5], "has nan as the name of an image"), ([b"\xe9", b"a"], "expected UTF-8 text")],
)
def test_other_names_of_features_are_refused(tmp_path, names, told):
    np.savez(tmp_path / "x.npz", features=np.eye(2), names=np.array(names))
    with pytest.raises(DataError, match=told):
        read_pictures(tmp_path / "x.npz")
