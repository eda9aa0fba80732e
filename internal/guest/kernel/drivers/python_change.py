"""Changes modules as they are imported. The driver, python.py, executes this with
the first that is to be changed, and gives it "changes", functions by name."""


class Changer:
    """Loads a module as another loader does, and changes it."""

    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        try:
            changes[module.__name__](module)
        except Exception:
            pass


def find(name, path, finders):
    """Returns how to load a module that the first of finders that knows it finds."""
    for finder in finders:
        spec = finder.find_spec(name, path)
        if spec is not None:
            if hasattr(spec.loader, "exec_module"):
                spec.loader = Changer(spec.loader)
            return spec
    return None
