"""Images, tables and files of a run on its page, and nothing that only seems to be its own."""

import json

from helpers.run_folders import epochs, page_of, write_image, write_run


def test_nothing_outside_of_the_folder_is_shown(tmp_path):
    run = write_run(tmp_path / "run", epochs(1))
    write_image(tmp_path / "secret.png", (1, 2, 3))
    write_image(tmp_path / "secrets" / "all_00000001.png")
    (tmp_path / "secret.csv").write_text("a,b\nsecret-cell,1\n")
    write_image(run / "images" / "own_00000001.png")
    (run / "images" / "linked_00000001.png").symlink_to(tmp_path / "secret.png")
    (run / "figures").symlink_to(tmp_path / "secrets")
    (run / "tables").mkdir()
    (run / "tables" / "t_00000001.csv").symlink_to(tmp_path / "secret.csv")
    lines = [
        {"kind": "images", "name": "up", "step": 1, "path": path}
        for path in ("../secret.png", str(tmp_path / "secret.png"), "images/\0", "figures/all.png")
    ]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    page = page_of(run)
    assert page.count("img") == 1
    assert "secret-cell" not in page.text
    assert "../secret.png leads out of the run's folder." in page.text
    assert "images/linked_00000001.png leads out of the run's folder." in page.text


def test_the_last_image_is_shown_and_the_others_are_a_step_away(tmp_path):
    run = write_run(tmp_path / "run", epochs(1))
    for step in range(40):
        write_image(run / "images" / f"samples_{step:08d}.png")
    (run / "images" / "half_00000001.png").write_bytes(
        (run / "images" / "samples_00000001.png").read_bytes()[:-9]
    )
    (run / "images" / "page_00000001.png").write_text("<html>")
    lost = {
        "kind": "figure",
        "name": "val/lost",
        "step": 3,
        "path": "figures/val_lost_00000003.png",
    }
    (run / "log.jsonl").write_text(json.dumps(lost) + "\n")

    page = page_of(run)
    assert page.count("img") == 24
    shown = [found["alt"] for tag, found in page.elements if tag == "img"]
    assert (shown[0], shown[-1]) == ("samples, update 0", "samples, update 39")
    assert "16 more in the folder" in page.text
    assert page.count("input", type="range", max="23") == 1
    assert "images/half_00000001.png is not whole." in page.text
    assert "images/page_00000001.png is no image." in page.text
    assert "figures/val_lost_00000003.png is missing." in page.text


def test_files_that_were_logged_are_listed_and_images_among_them_shown(tmp_path):
    run = write_run(tmp_path / "moved", epochs(1))
    write_image(run / "film.png")
    write_image(tmp_path / "outside.png")
    old = "/elsewhere/moved"
    (run / "files.csv").write_text(
        f"name,step,path\nfilm,{'9' * 5000},{old}/film.png\nout,3,{tmp_path}/outside.png\n"
    )
    page = page_of(run)
    assert page.count("img") == 1
    assert "film.png" in page.texts
    assert f"{tmp_path}/outside.png" in page.texts


def test_a_confusion_matrix_is_a_table_in_shades_and_no_image(tmp_path):
    run = write_run(tmp_path / "run", epochs(1))
    (run / "tables").mkdir()
    for step in (5, 10):
        path = run / "tables" / f"val_confusion_matrix_{step:08d}.csv"
        path.write_text(f"true,cat,dog\ncat,{step},0\ndog,0,0\n")
    write_image(run / "figures" / "val_confusion_matrix_00000010.png")
    (run / "tables" / "broken_00000001.csv").write_text("true,cat\n\ncat,nan\n")
    page = page_of(run)
    assert "broken" in page.texts
    assert page.count("td", **{"class": "h10"}) == 1
    assert "1 earlier of this name" in page.text
    assert page.count("img") == 0
