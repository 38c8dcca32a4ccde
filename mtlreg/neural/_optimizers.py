"""Optimisers over the flat vector of a net's variables, with a proximal step for those that a penalty holds.

References
----------
Kingma & Ba (2015), Adam: a method for stochastic optimization, algorithm 1.
Sutskever, Martens, Dahl & Hinton (2013), On the importance of initialization and momentum in deep learning.
"""

from __future__ import annotations

from mtlreg.validation import to_host

__all__ = ["Adam", "Momentum", "make_optimizer"]


class Adam:
    """Adam. The entries of a penalised variable share one step length, so that the fixed point is the penalty's.

    Parameters
    ----------
    variables : Variables
    proximal : dict
        ``{name: Held}`` of the variables under a penalty.
    beta_1, beta_2, epsilon : float
    """

    def __init__(self, variables, proximal, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.proximal, self.beta_1, self.beta_2, self.epsilon = proximal, beta_1, beta_2, epsilon
        xp = variables.xp
        self.mean, self.square = xp.zeros_like(variables.flat), xp.zeros_like(variables.flat)
        self.count = 0

    def move(self, xp):
        """Take the state to another namespace."""
        self.mean, self.square = xp.asarray(to_host(self.mean)), xp.asarray(to_host(self.square))

    def step(self, variables, gradients, rate, share):
        """Move the variables; ``share`` is that of the penalties in the step's objective."""
        xp, g = variables.xp, gradients.flat
        self.count += 1
        self.mean *= self.beta_1
        self.mean += (1 - self.beta_1) * g
        self.square *= self.beta_2
        bend = g * g
        bend *= 1 - self.beta_2
        self.square += bend
        length = rate * (1 - self.beta_2**self.count) ** 0.5 / (1 - self.beta_1**self.count)
        scale = xp.sqrt(self.square)
        scale += self.epsilon
        steps = {}
        for name in self.proximal:
            at = variables.slices[name]
            scale[at] = xp.mean(self.square[at]) ** 0.5 + self.epsilon
            # as far as gradients of one size move the variable
            steps[name] = share * length * (1 - self.beta_1**self.count) / float(scale[at.start])
        move = self.mean / scale
        move *= length
        variables.flat -= move
        for name, step in steps.items():
            variables[name] = self.proximal[name].prox(variables[name], step)


class Momentum:
    """Gradient descent with momentum.

    Parameters
    ----------
    variables : Variables
    proximal : dict
        As for `Adam`.
    momentum : float
    nesterov : bool
    """

    def __init__(self, variables, proximal, momentum=0.9, nesterov=True):
        self.proximal, self.momentum, self.nesterov = proximal, momentum, nesterov
        self.velocity = variables.xp.zeros_like(variables.flat)

    def move(self, xp):
        """Take the state to another namespace."""
        self.velocity = xp.asarray(to_host(self.velocity))

    def step(self, variables, gradients, rate, share):
        """Move the variables; ``share`` is that of the penalties in the step's objective."""
        self.velocity *= self.momentum
        self.velocity += gradients.flat
        ahead = self.momentum * self.velocity + gradients.flat if self.nesterov else self.velocity
        variables.flat -= rate * ahead
        for name, held in self.proximal.items():
            # as far as gradients of one size move the variable in the end
            variables[name] = held.prox(variables[name], share * rate / (1 - self.momentum))


def make_optimizer(name, variables, proximal, momentum):
    """The optimiser of that name."""
    return Adam(variables, proximal) if name == "adam" else Momentum(variables, proximal, momentum)
