"""State dicts of the published networks, as tables: name of the entry, shape."""


def pair(key, weight, bias):
    return {f"{key}.weight": weight, f"{key}.bias": (bias,)}


def layout(*layers):
    return {k: v for layer in layers for k, v in pair(*layer).items()}


def convolution(key, inputs, outputs, kernel):
    return pair(key, (outputs, inputs, kernel, kernel), outputs)


def normalised(key, channels):
    """Batch normalisation."""
    buffers = {f"{key}.running_mean": (channels,), f"{key}.running_var": (channels,)}
    return {**pair(key, (channels,), channels), **buffers, f"{key}.num_batches_tracked": ()}


def spectral(key, inputs, outputs, kernel):
    """A convolution with spectral norm."""
    return {
        f"{key}.bias": (outputs,),
        f"{key}.weight_orig": (outputs, inputs, kernel, kernel),
        f"{key}.weight_u": (outputs,),
        f"{key}.weight_v": (inputs * kernel**2,),
    }


def attention(key, width, other=None):
    """Multi-head attention, to itself or to a memory of another width."""
    if other is None:
        weights = {f"{key}.in_proj_weight": (3 * width, width)}
    else:
        names = (("q", width), ("k", other), ("v", other))
        weights = {f"{key}.{name}_proj_weight": (width, w) for name, w in names}
    out = pair(f"{key}.out_proj", (width, width), width)
    return {**weights, f"{key}.in_proj_bias": (3 * width,), **out}


def feed_forward(key, width):
    wide = 8 * width
    return layout((f"{key}.0", (wide, width), wide), (f"{key}.2", (width, wide), width))


def union(*parts):
    return {k: v for part in parts for k, v in part.items()}


def resnet_block(key):
    return union(
        convolution(f"{key}.0", 128, 128, 3),
        normalised(f"{key}.1", 128),
        pair(f"{key}.3", (128, 16, 3, 3), 128),
        normalised(f"{key}.4", 128),
        convolution(f"{key}.6", 128, 128, 1),
    )


def quadratic(key, first, second):
    weights = {f"{key}.W_{name}": (first, second, 3, 3) for name in "rgb"}
    outputs = second if key.startswith("decoder") else first
    return {**weights, **{f"{key}.b_{name}": (outputs,) for name in "rgb"}}


COARSE = [
    ("base_encoder.0", 1, 16),
    ("base_encoder.2", 16, 32),
    ("lc1.0", 32, 64),
    ("lc2.0", 64, 256),
    ("transformer_endoder.0", 32, 64),
    ("transformer_endoder.2", 64, 128),
    ("transformer_endoder.4", 128, 256),
]
COMBINE = [("block1.0", 256), ("block1.2", 256), ("block2.0", 64), ("block2.2", 64)]
CRITIC = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256)]
DOWN = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 512), (512, 512), (512, 512)]
UP = [(512, 512), (512, 512), (512, 256), (256, 128), (128, 64), (64, 1)]


def down_block(i, inputs, outputs):
    key, first = f"down_blocks.{i}", convolution if i == 0 else spectral
    halve = {} if i == 6 else spectral(f"{key}.down", outputs, outputs, 4)
    return union(
        first(f"{key}.conv_res", inputs, outputs, 1),
        first(f"{key}.net.0", inputs, outputs, 3),
        spectral(f"{key}.net.2", outputs, outputs, 3),
        halve,
    )


def up_block(i, inputs, outputs):
    key, kind = f"up_blocks.{i}", convolution if outputs == 1 else spectral
    return union(
        kind(f"{key}.shortcut", inputs, outputs, 1),
        kind(f"{key}.conv.0", 2 * inputs, outputs, 3),
        kind(f"{key}.conv.2", outputs, outputs, 3),
    )


REDCNN = layout(
    ("conv1", (96, 1, 5, 5), 96),
    *[(f"conv{i}", (96, 96, 5, 5), 96) for i in (2, 3, 4, 5)],
    *[(f"tconv{i}", (96, 96, 5, 5), 96) for i in (1, 2, 3, 4)],
    ("tconv5", (96, 1, 5, 5), 1),
)
LAYOUTS = {
    "cnn10": layout(
        ("layers.0", (64, 1, 9, 9), 64),
        ("layers.2", (32, 64, 3, 3), 32),
        ("layers.4", (1, 32, 5, 5), 1),
    ),
    "redcnn": REDCNN,
    "wganvgg": layout(
        ("net.0", (32, 1, 3, 3), 32),
        *[(f"net.{i}", (32, 32, 3, 3), 32) for i in range(2, 14, 2)],
        ("net.14", (1, 32, 3, 3), 1),
    ),
    "critic": layout(
        *[(f"net.{2 * i}", (out, inp, 3, 3), out) for i, (inp, out) in enumerate(CRITIC)],
        ("fc1", (1024, 12544), 1024),
        ("fc2", (1, 1024), 1),
    ),
    "resnet": union(
        convolution("in_conv", 1, 128, 9),
        convolution("out_conv", 128, 1, 3),
        *[resnet_block(f"blocks.{i}.layers") for i in range(10)],
    ),
    "qae": union(
        quadratic("encoder.0", 15, 1),
        *[quadratic(f"encoder.{i}", 15, 15) for i in range(1, 5)],
        *[quadratic(f"decoder.{i}", 15, 15) for i in range(4)],
        quadratic("decoder.4", 15, 1),
    ),
    "dugan": REDCNN,
    "discriminator": union(
        *[down_block(i, *channels) for i, channels in enumerate(DOWN)],
        pair("to_logit.3", (1, 512), 1),
        *[up_block(i, *channels) for i, channels in enumerate(UP)],
        spectral("conv.0", 512, 512, 3),
        spectral("conv.2", 512, 512, 3),
        convolution("conv_out", 1, 1, 1),
    ),
    "transct": union(
        *[convolution(f"conv_encoder_lf.{key}", a, b, 5) for key, a, b in COARSE],
        *[convolution(f"conv_encoder_hf.{i}", 256, 256, 3) for i in (0, 2, 4)],
        *[attention(f"memory.{i}.mha", 256) for i in range(3)],
        *[feed_forward(f"memory.{i}.ff", 256) for i in range(3)],
        *[attention(f"decoder.{i}.mha1", 1024) for i in range(3)],
        *[attention(f"decoder.{i}.mha2", 1024, 256) for i in range(3)],
        *[feed_forward(f"decoder.{i}.ff", 1024) for i in range(3)],
        *[convolution(f"combine.{key}", n, n, 3) for key, n in COMBINE],
    ),
    "bilateral": {
        f"filters.{i}.{name}": ()
        for i in range(3)
        for name in ("sigma_x", "sigma_y", "sigma_z", "color_sigma")
    },
}
PARAMETERS = {
    "cnn10": 24513,
    "redcnn": 1848865,
    "wganvgg": 56097,
    "critic": 13991361,
    "resnet": 1843329,
    "qae": 49818,
    "dugan": 1848865,
    "discriminator": 57213839,
    "transct": 79347520,
    "bilateral": 12,
}
