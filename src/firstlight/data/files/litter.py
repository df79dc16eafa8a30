"""Files and folders that programs leave beside images: thumbnails, caches, the records of file managers."""

# In lower case; of macOS, Windows, Synology, QNAP, Linux and Python. Hidden ones need no name here.
_FOLDERS = {
    *("__macosx", "$recycle.bin", "system volume information", "@eadir", "#recycle", "#snapshot", "@recycle"),
    *("@recently-snapshot", "@__thumb", "@tmp", "lost+found", "__pycache__"),
}
_FILES = {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r"}


def is_litter(name: str) -> bool:
    """Return whether a file or folder of this name is hidden, or made by a program for itself."""
    return name.startswith((".", "~$")) or name.lower() in _FOLDERS | _FILES


def kind_of_litter(name: str) -> str:
    """Return the name under which a file of litter is counted."""
    if name.startswith("._"):  # macOS writes such a file beside each file on a foreign disk
        return "._*"
    return name.strip() if name == ".DS_Store" or name.lower() in _FILES else "hidden file"
