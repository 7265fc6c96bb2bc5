"""Asks the functions of an engine's sources which quantisations go together: for `vllm-quantizations`
and `sglang-quantizations`."""
import __future__

import ast
import json
import pathlib
import re
import tempfile
import types
from typing import get_args
from unittest.mock import MagicMock

# What a model states, as the tools that quantise write it.
OWN = {
    "?": {},
    "aqlm": {"nbits_per_codebook": 16, "num_codebooks": 1, "out_group_size": 1, "in_group_size": 8},
    "auto-round": {"bits": 4, "group_size": 128, "sym": True, "packing_format": "auto_round:auto_gptq"},
    "awq": {"bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"},
    "bitsandbytes": {"load_in_4bit": True},
    "compressed-tensors": {"format": "float-quantized", "config_groups": {}},
    "experts_int8": {},
    "fbgemm_fp8": {"activation_scale_ub": 1200.0, "modules_to_not_convert": []},
    "fp8": {"activation_scheme": "dynamic"},
    "fp_quant": {},
    "gptq": {"bits": 4, "group_size": 128, "sym": True, "desc_act": False},
    "hqq": {"quant_config": {}},
    "mxfp4": {"modules_to_not_convert": []},
    "quark": {},
    "torchao": {"quant_type": {"default": "int4_weight_only"}},
}

# Models of GPTQ that are not as most of them are, by the first thing that is other.
FORMS = {
    "gptq:bits": {**OWN["gptq"], "bits": 3},
    "gptq:odd-bits": {**OWN["gptq"], "bits": 5},
    "gptq:asymmetric": {**OWN["gptq"], "sym": False},
    "gptq:group": {**OWN["gptq"], "group_size": 256},
    **{
        f"gptq:no-{key}": {other: value for other, value in OWN["gptq"].items() if other != key}
        for key in OWN["gptq"]
    },
}
OWN |= FORMS

DTYPES = ("float16", "bfloat16")

# What the functions refuse with. Everything else is a matter of what they were called with here.
REFUSALS = (
    "does not match",
    "Unknown quantization method",
    "is deprecated",
    "Cannot find the config file for",
    "Cannot find any of",
    "required positional argument",
    "quant_type must be specified",
    "is supported only on",
    "must be provided",
    "Unsupported quantization config",
    "-bit weight quantization is",
    "does not support group_size",
)


# What a plain value of a module may be made with.
SIMPLE = {
    "__builtins__": {"int": int, "float": float},
    "os": types.SimpleNamespace(getenv=lambda _, it=None: it),
    "get_bool_env_var": lambda *_: False,
    "is_cuda": lambda *_: True,
    **{f"is_{name}": lambda *_: False for name in ("cpu", "hip", "mps", "npu", "xpu")},
}


class Fallback(dict):
    """Builtins in which every other name is a class of the sources, or can be called and asked anything."""

    def __init__(self, judged, values):
        super().__init__(values)
        self.judged = judged

    def __missing__(self, name):
        is_class = name.endswith("Config") and name in self.judged.classes
        return self.judged.built_class(name) if is_class else MagicMock(name=name)


class Platform:
    """A device of NVIDIA."""

    supported_quantization = []
    device_type = "cuda"
    device_name = "cuda"

    def __getattr__(self, name):
        if name.startswith("is_"):
            return lambda *_: name in ("is_cuda", "is_cuda_alike")
        if name.startswith("has_"):
            return lambda *_: True
        return MagicMock(name=name)

    def get_device_capability(self, *_):
        return types.SimpleNamespace(to_int=lambda: 90, major=9, minor=0)

    def verify_quantization(self, _):
        pass


class Unset(str):
    """A variable that nobody has set, as both engines ask for it."""

    def get(self, *_):
        return self


class Environment:
    def __getattr__(self, _):
        return Unset()


class Torch:
    """The names of its types, and nothing else."""

    half = float16 = "float16"
    bfloat16 = "bfloat16"
    float = float32 = "float32"
    cuda = types.SimpleNamespace(get_device_capability=lambda *_: (9, 0))

    def __getattr__(self, name):
        return MagicMock(name=name)


class Judged:
    """The functions of one release that decide about a quantisation."""

    def __init__(self, places, registry, model_config, loader, shorthands=(), names={}):
        self.classes = {}
        for place in places:
            for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
                self.classes = classes(path) | self.classes
        self.built = {}
        self.methods, self.config_of, deprecated = registry
        self.shorthands = shorthands
        self.names = {
            "torch": Torch(),
            "current_platform": Platform(),
            "logger": MagicMock(),
            "envs": Environment(),
            "cast": lambda _, value: value,
            "get_args": get_args,
            "json": json,
            "glob": __import__("glob"),
            "os": __import__("os"),
            "QUANTIZATION_METHODS": Methods(self),
            "QuantizationMethods": literal(self.methods),
            "get_quantization_config": self.config_class,
            "me_quant": types.SimpleNamespace(
                QUANTIZATION_METHODS=Methods(self),
                QuantizationMethods=literal(self.methods),
                DEPRECATED_QUANTIZATION_METHODS=deprecated,
                get_quantization_config=self.config_class,
            ),
            "maybe_download_from_modelscope": lambda *_, **__: None,
            "_ONLINE_SHORTHANDS": dict.fromkeys(self.shorthands, Arguments()),
            "QuantizationConfigArgs": Arguments,
            "OnlineQuantizationConfigArgs": Arguments,
            "resolve_quantization_config": lambda *_: Arguments(),
            **{name: value for name, value in SIMPLE.items() if name.startswith("is_")},
            "check_marlin_format": lambda config: config.get("checkpoint_format") == "marlin",
            "get_device_capability": lambda *_: (9, 0),
            "resolve_checkpoint_quant_spec": lambda *_: None,
            **names,
        }
        for kernel in ("marlin", "bitblas"):
            for path in [path for place in places for path in place.rglob(f"{kernel}_utils.py")]:
                self.kernel(ast.parse(path.read_text()), kernel)
        trees = [ast.parse(path.read_text()) for path in model_config]
        self.verify = self.function(trees, "_verify_quantization")
        self.load = self.function([ast.parse(loader.read_text())], "get_quant_config")

    def function(self, trees, name):
        """A function of the sources, out of its class."""
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    return self.run(node, name)
        return None

    def kernel(self, tree, kernel):
        """Whether a kernel computes a model, by the numbers that share a scale alone."""
        sizes = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)
                     and getattr(node.targets[0], "id", "") == f"{kernel.upper()}_SUPPORTED_GROUP_SIZES")

        def check(quant_type, group_size, *_, **__):
            return group_size in sizes

        def verify(quant_type, group_size, *_, **__):
            if group_size not in sizes:
                raise ValueError(f"{kernel} does not support group_size = {group_size}")

        self.names |= {f"check_{kernel}_supported": check, f"verify_{kernel}_supported": verify}

    def run(self, node, name, values={}):
        """Defines a function or class and gives it back."""
        node.decorator_list = []
        space = self.names | values
        builtins = Fallback(self, vars(__import__("builtins")))
        builtins["__import__"] = self.imported
        space["__builtins__"] = builtins
        space["__name__"] = "quantization"
        flags = __future__.annotations.compiler_flag
        code = compile(ast.Module([node], []), name, "exec", flags, True)
        exec(code, space)
        return space[name]

    def imported(self, name, *_, **__):
        judged = self

        class Module:
            def __getattr__(self, name):
                if name in judged.names:
                    return judged.names[name]
                if name in judged.classes:
                    return judged.built_class(name)
                return MagicMock(name=name)

        return Module()

    def built_class(self, name):
        """A class of the sources with its own functions and plain values."""
        if name not in self.built:
            node, values = self.classes[name]
            known = [base for base in node.bases
                     if isinstance(base, ast.Name) and base.id in self.classes]
            for base in known:
                self.names[base.id] = self.built_class(base.id)
            node.bases, node.keywords = known, []
            for item in node.body:
                if isinstance(item, ast.FunctionDef):
                    item.decorator_list = [it for it in item.decorator_list if isinstance(it, ast.Name)
                                           and it.id in ("classmethod", "staticmethod", "property")]
            self.built[name] = self.run(node, name, values)
        return self.built[name]

    def config_class(self, method):
        """The class of a method; one that another package has is taken for one that says nothing."""
        name = self.config_of[method]
        return self.built_class(name if name in self.classes else "QuantizationConfig")

    def verified(self, own, asked, allows_deprecated=False):
        """The method that is taken; an exception: the engine refuses."""
        method = own and own.split(":")[0]
        stated = None if own is None else {"quant_method": method, **OWN.get(own, {})}
        hf_config = types.SimpleNamespace(model_type="llama")
        if stated is not None:
            hf_config.quantization_config = stated
        config = types.SimpleNamespace(
            quantization=asked,
            hf_config=hf_config,
            model_arch_config=types.SimpleNamespace(quantization_config=stated),
            allow_deprecated_quantization=allows_deprecated,
            is_draft_model=False,
            is_draft_quantization_explicit=False,
            _parse_quant_hf_config=lambda *_: stated,
            _find_quant_modelslim_config=lambda *_: None,
        )
        self.verify(config)
        return config.quantization

    def takes(self, own, asked, allows_deprecated=False):
        """What computes a model of that method; absent: refused."""
        try:
            method = self.verified(own, asked, allows_deprecated)
            found = self.config_class(method)
            if own and own.startswith("gptq") and is_known(found):
                self.made(found, {"quant_method": "gptq", **OWN[own]})
            return self.loaded(method) if own is None and is_known(found) else found
        except (AssertionError, TypeError, ValueError) as refusal:
            if not any(words in str(refusal) for words in REFUSALS):
                raise
            return None

    def made(self, found, stated):
        """Has a class read what a model states; what has to be there of torch for it is not a refusal."""
        try:
            config = found.from_config(stated)
            method = found.__name__.replace("Config", "LinearMethod")
            if "GPTQ" in method and method in self.classes:
                self.built_class(method)(config)
        except TypeError as lack:
            if "MagicMock" not in str(lack):
                raise

    def loaded(self, method):
        """What is made of a model that is not quantised."""
        online = Arguments() if method in self.shorthands else None
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "config.json").write_text('{"model_type": "llama"}')
            config = types.SimpleNamespace(
                quantization=method, quantization_config=online, model=folder, model_path=folder,
                revision=None,
                hf_overrides={}, hf_config=types.SimpleNamespace(model_type="llama"),
                quantization_param_path=None, model_loader_extra_config=None)
            loading = types.SimpleNamespace(
                download_dir=None, load_format="auto", model_loader_extra_config=None)
            needed = self.load.__code__.co_argcount - 2 - len(self.load.__defaults__ or ())
            return self.load(config, loading, *[{}] * needed)


class Methods(list):
    """The methods of a registry: names in one engine, names with their classes in the other."""

    def __init__(self, judged):
        super().__init__(judged.methods)
        self.judged = judged

    def items(self):
        return [(name, self.judged.config_class(name)) for name in self]


class Arguments(MagicMock):
    """How numbers are to be quantised while they are loaded."""


def classes(path):
    """The classes of a module, each with what the module says in plain values."""
    found, values = {}, {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = (node, values)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                values[node.targets[0].id] = eval(ast.unparse(node.value), SIMPLE | values)
            except (AttributeError, KeyError, NameError, TypeError, ValueError):
                pass
    return found


def literal(names):
    from typing import Literal
    return Literal[tuple(names)]


def of_sglang(tree):
    """The methods of SGLang's registry on a device of NVIDIA, and the name of the class of each."""
    space = {"__builtins__": Names()}
    for node in tree.body:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        if isinstance(targets[0], ast.Name) or isinstance(node, ast.If):
            body = [it for it in getattr(node, "body", []) if isinstance(it, ast.Expr)]
            if isinstance(node, ast.If):
                node.body = body or [ast.Pass()]
                node.orelse = [it for it in node.orelse if isinstance(it, ast.If) and it.body]
            flags = __future__.annotations.compiler_flag
            module = ast.fix_missing_locations(ast.Module([node], []))
            exec(compile(module, "registry", "exec", flags, True), space)
    known = space["QUANTIZATION_METHODS"]
    return list(known), known, []


class Name(str):
    """A name that is not looked up; as a question, it is answered with no."""

    def __call__(self, *_, **__):
        return self == "is_cuda"

    def __getattr__(self, name):
        return Name(name)


class Names(dict):
    def __missing__(self, name):
        return Name(name)


def shorthand_names(path):
    """Words of `--quantization` that stand for a quantisation while loading."""
    if not path.exists():
        return []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "_ONLINE_SHORTHANDS":
            return [key.value for key in node.value.keys]
        if isinstance(node, ast.ClassDef) and node.name == "OnlineQuantScheme":
            return [item.value.value for item in node.body if isinstance(item, ast.Assign)]
    return []


def strings(node):
    return [it.value for it in ast.walk(node) if isinstance(it, ast.Constant) and isinstance(it.value, str)]


def of_vllm(tree):
    """The methods of vLLM's registry, the name of the class of each, and those that are deprecated."""
    known, config_of, deprecated = [], {}, []
    for node in ast.walk(tree):
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        name = getattr(targets[0], "id", "") if targets[0] is not None else ""
        value = getattr(node, "value", None)
        if name in ("QUANTIZATION_METHODS", "QuantizationMethods") and value is not None:
            known = known or strings(value)
        elif name == "DEPRECATED_QUANTIZATION_METHODS":
            deprecated = strings(value)
        elif name == "method_to_config" and isinstance(value, ast.Dict):
            pairs = zip(value.keys, value.values)
            config_of = {key.value: it.id for key, it in pairs if isinstance(it, ast.Name)}
    for name in known:
        config_of.setdefault(name, "OnlineQuantizationConfig")
    for local, real in aliases(tree).items():
        config_of = {key: real if it == local else it for key, it in config_of.items()}
    return known, config_of, deprecated


def aliases(tree):
    """What an import or an assignment calls otherwise."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {it.asname: it.name for it in node.names if it.asname}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Name):
            found[node.target.id] = node.value.id
    return {local: found.get(real, real) for local, real in found.items()}


def facts(judged, more):
    """Every line that holds of one release. `more`: words that the command line has beside methods."""
    for asked in judged.methods:
        yield asked
    for own in [None, *OWN]:
        for asked in [None, *judged.methods, *more]:
            if own is None and asked is None:
                continue
            pair = f"{own or ''}<{asked or ''}"
            found = judged.takes(own, asked)
            if found is not None:
                yield pair
                taken = dtypes(found)
                yield from (f"{pair}!{dtype}" for dtype in DTYPES if dtype not in taken)
            elif judged.takes(own, asked, allows_deprecated=True) is not None:
                yield f"{pair}!deprecated"


def is_known(found):
    """Whether a class is there, and not only a place for that of another package."""
    return found.__name__ != "QuantizationConfig" and hasattr(found, "get_config_filenames")


def dtypes(found):
    """The types of numbers that a configuration, or its class, computes with."""
    if isinstance(found, MagicMock) or isinstance(found, type) and not is_known(found):
        return DTYPES
    try:
        return [str(name) for name in found.get_supported_act_dtypes()]
    except TypeError:
        return [str(name) for name in found.get_supported_act_dtypes(None)]


def number(release):
    return [int(part) for part in re.findall(r"\d+", release)]


def write(table, script, engine, releases, more):
    releases = sorted(releases, key=lambda pair: number(pair[0]))
    found = [(release, set(facts(judged, more))) for release, judged in releases]
    lines = [
        f"# Made by tests/setup/{script} from {engine}'s own functions in the sources of these releases.",
        "# METHOD is a word of `--quantization`. OWN<ASKED: a model of the method OWN (nothing: it is not",
        "# quantised; ?: one that nobody knows) is taken when ASKED (nothing: the flag is left out) is asked",
        "# for. Behind it, !DTYPE: not with numbers of that type; !deprecated: only where that is allowed.",
        "releases " + " ".join(release for release, _ in found),
    ]
    for name in sorted(set().union(*(has for _, has in found))):
        lines.append(f"{name} " + "".join("+" if name in has else "-" for _, has in found))
    table.write_text("\n".join(lines) + "\n")
