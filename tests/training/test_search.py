"""Searches: the space is data, trials are remembered, shared, and survive their process."""

import math
import time

import pytest
import torch
from work_small import noisy_exams, search_slowly, wait_for

from ldctlib.denoisers import METHODS, Precision, available
from ldctlib.training import Validation, search
from ldctlib.training.lease import Lease, held, turn
from ldctlib.training.recipes import read_recipe, write_recipe
from ldctlib.training.spaces import Range, scaled, space_of, with_values
from ldctlib.training.study import Study

SPACE = {
    "learning_rate": Range(1e-4, 1e-2, log=True),
    "steps": Range(2, 6, whole=True),
    "batch": Range(1, 3, whole=True),
    "patch": Range(16, 20, whole=True),
}


@pytest.fixture
def look():
    exams, others = noisy_exams()

    def searched(**changes):
        settings = {"space": SPACE, "trials": 4, "startup": 2, "device": "cpu", "progress": False}
        settings |= {"precision": Precision(), "seed": 1}
        data = {"exams": exams, "validation": Validation(others, 1)}
        return search("cnn10", **{**data, **settings, **changes})

    return searched


def values(found):
    clocks = ("seconds",)
    return [{k: v for k, v in row.items() if k not in clocks} for row in found.rows]


@pytest.mark.parametrize("name", available())
def test_methods_know_what_is_searched_for(name):
    published = METHODS[name].trainable.recipe
    low, high = ({n: getattr(r, end) for n, r in space_of(name).items()} for end in ("low", "high"))
    tried = with_values(published, low)
    assert tried.options.keys() == published.options.keys()
    for number, ends in space_of(name).items():
        found = published.betas[0] if number == "beta1" else None
        found = getattr(published, number, None) if found is None else found
        found = published.options[number] if found is None else found
        assert ends.low <= found <= ends.high, f"the published {number} lies in its range"
    assert with_values(tried, high) == with_values(published, high)


@pytest.mark.parametrize("name", available())
def test_the_cheapest_trial_of_each_method_can_be_trained(name):
    cheapest = {n: r.low for n, r in scaled(space_of(name), 0.001).items()}
    if name == "transct":
        pytest.skip("its patch is a whole slice, 79 M weights: tests/denoisers trains it")
    recipe = with_values(METHODS[name].trainable.recipe, {**cheapest, "batch": 2})
    options = {"perceptual": "random-vgg19-shallow"} if name == "wganvgg" else {}
    torch.manual_seed(0)
    objective = METHODS[name].trainable.objective(
        METHODS[name].trainable.network(),
        recipe,
        device=torch.device("cpu"),
        precision=Precision(),
        seed=0,
        **options,
    )
    losses = objective.step(*torch.randn(2, recipe.batch, 1, recipe.patch, recipe.patch))
    assert all(map(math.isfinite, losses.values()))


def test_a_budget_shrinks_what_costs_time_and_nothing_else():
    whole, small = space_of("dugan"), scaled(space_of("dugan"), 0.01)
    assert scaled(whole, 1) == dict(whole)
    assert (small["cutmix_warm_up"].low, small["cutmix_warm_up"].high) == (0, 100)
    costly = {"steps", "batch", "patch", "cutmix_warm_up"}
    assert all(small[name] == whole[name] for name in whole.keys() - costly)
    for budget in (0, 1.5):
        with pytest.raises(ValueError, match="fraction in"):
            scaled(whole, budget)


def test_a_search_keeps_the_best_and_what_it_tried(look, tmp_path):
    found = look(recipe=METHODS["cnn10"].trainable.recipe)
    table = found.table()
    assert table.state.tolist() == ["done"] * 4
    assert found.ssim == table.ssim.max()
    best = table.loc[table.ssim.idxmax()]
    assert (found.recipe.batch, found.recipe.patch) == (best.batch, best.patch)
    assert found.recipe.learning_rate == best.learning_rate
    assert (table.best_step <= table.steps).all()
    for name, ends in SPACE.items():
        assert table[name].between(ends.low, ends.high).all()
    write_recipe("cnn10", found.recipe, tmp_path / "best.json")
    assert read_recipe(tmp_path / "best.json") == ("cnn10", found.recipe)
    assert found.plot_history().alt.startswith("Validation SSIM of each trial: cnn10 gp reaches")
    with pytest.raises(ValueError, match="takes 10 trials or more, not 4"):
        found.plot_importance()


def test_the_score_is_that_of_the_best_checkpoint_on_the_fixed_slices(look):
    from ldctlib.training import fit

    exams, others = noisy_exams()
    found = look(trials=1)
    check = Validation(others, 1)
    settings = {"device": "cpu", "precision": Precision(), "progress": False, "seed": 1}
    denoiser = fit("cnn10", exams, check, recipe=found.recipe, validate_every=1, **settings)
    assert check(denoiser)["ssim"] == pytest.approx(found.ssim, abs=1e-12)


def test_a_stopped_search_goes_on_as_if_nothing_had_happened(look, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    whole = look()
    look(trials=2, storage=tmp_path / "trials.log")
    done = Study.done
    monkeypatch.setattr(Study, "done", stop)
    with pytest.raises(KeyboardInterrupt):
        look(storage=tmp_path / "trials.log")
    monkeypatch.setattr(Study, "done", done)
    resumed = look(storage=tmp_path / "trials.log")
    assert values(resumed) == values(whole)
    assert not list((tmp_path / "trials.log.running").iterdir())
    assert values(look(storage=tmp_path / "trials.log")) == values(whole)
    for change in ({"seed": 2}, {"space": {**SPACE, "batch": Range(1, 4, whole=True)}}):
        with pytest.raises(ValueError, match="holds another search"):
            look(storage=tmp_path / "trials.log", **change)


def test_random_and_guided_searches_share_a_file_and_begin_alike(look, tmp_path):
    guided = look(storage=tmp_path / "trials.log")
    random = look(storage=tmp_path / "trials.log", sampler="random")
    assert values(random)[:2] == values(guided)[:2]
    assert values(random)[2:] != values(guided)[2:]
    assert "random reaches" in guided.plot_history(random=random).alt
    with pytest.raises(ValueError, match="sampler is one of gp, random"):
        look(sampler="tpe")


def test_a_divergent_trial_is_recorded_and_the_search_goes_on(look, monkeypatch):
    from ldctlib.training.run import Run

    validate, calls = Run.validate, []

    def diverge(run):
        calls.append(run.identity["learning_rate"])
        if len(set(calls)) == 2:
            raise FloatingPointError("The 'loss' is nan.")
        return validate(run)

    monkeypatch.setattr(Run, "validate", diverge)
    found = look()
    table = found.table()
    assert table.state.tolist() == ["done", "failed", "done", "done"]
    assert math.isnan(table.ssim[1])
    assert table.problem[1] == "The 'loss' is nan."
    assert found.study.counted[1].value == found.study.counted[0].value, "what the sampler is told"
    assert "4 trials" in found.plot_history().alt


def test_when_all_trials_fail_the_result_says_so(look, monkeypatch):
    from ldctlib.training.run import Run

    def diverge(run):
        raise FloatingPointError("The 'loss' is nan.")

    monkeypatch.setattr(Run, "validate", diverge)
    found = look()
    assert [row["state"] for row in found.rows] == ["failed"] * 4
    with pytest.raises(ValueError, match="No trial of cnn10 gp has succeeded"):
        found.recipe  # noqa: B018


def test_a_mistake_is_no_failed_trial(look):
    with pytest.raises(ValueError, match="has 24 pixels a side, and the search tries patches of"):
        look(space={**SPACE, "patch": Range(16, 32, whole=True)})
    with pytest.raises(ValueError, match="No denoiser is called"):
        search("unet", *noisy_exams())


def test_importance_finds_what_matters():
    """Twenty trials whose score is their learning rate."""
    from types import SimpleNamespace

    from optuna.distributions import FloatDistribution
    from optuna.trial import create_trial

    from ldctlib.training.search_plots import importance

    ends = {name: FloatDistribution(0, 1) for name in ("learning_rate", "idle")}
    numbers = [(i / 19, (7 * i % 20) / 19) for i in range(20)]
    trials = [
        create_trial(params={"learning_rate": a, "idle": b}, distributions=ends, value=a)
        for a, b in numbers
    ]
    shares = importance(SimpleNamespace(study=SimpleNamespace(counted=trials)))
    assert shares["learning_rate"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_two_workers_share_a_search_and_one_is_killed(processes, look, tmp_path):
    path = tmp_path / "trials.log"
    workers = [
        processes.Process(target=search_slowly, args=(path, tmp_path), daemon=True)
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    begun = {float(file.stem) for file in wait_for(2, tmp_path, "*.rate")}
    workers[0].kill()
    workers[0].join()
    (tmp_path / "gate").touch()
    workers[1].join(120)
    assert workers[1].exitcode == 0
    study = Study(path, "cnn10 gp", {}, {}, sampler="gp", startup=2, seed=1)
    assert len(study.counted) == 4
    rates = [trial.params["learning_rate"] for trial in study.counted]
    assert len(set(rates)) == 4
    assert begun <= set(rates), "the values of the killed trial were tried again"


def test_a_lease_is_held_for_as_long_as_its_owner_lives(tmp_path, monkeypatch):
    from ldctlib.training import lease

    monkeypatch.setattr(lease, "BEAT_S", 0.05)
    monkeypatch.setattr(lease, "GRACE_S", 0.4)
    path = tmp_path / "work"
    assert not held(path)
    with Lease(path):
        time.sleep(0.6)
        assert held(path), "it beats"
        with pytest.raises(FileExistsError), Lease(path):
            pass
    path.write_text("another-machine 1")
    assert held(path), "nobody knows yet"
    begin = time.monotonic()
    monkeypatch.setattr(lease, "WAIT_S", 0.02)
    with turn(path):
        assert time.monotonic() - begin > 0.2
        assert held(path)
    assert list(tmp_path.iterdir()) == []
