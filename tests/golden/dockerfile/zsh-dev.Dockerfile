FROM mcr.microsoft.com/devcontainers/base:ubuntu
ARG USERNAME=dev
ARG USER_UID=1000 USER_GID=$USER_UID
RUN if [ "$(id -u)" -eq 0 ]; then groupadd --gid $USER_GID $USERNAME || true; fi \
    && echo "$USERNAME ALL=(root) NOPASSWD:ALL" > /etc/sudoers.d/$USERNAME \
    && chmod 0440 /etc/sudoers.d/$USERNAME
SHELL ["/usr/bin/zsh", "-eo", "pipefail", "-c"]
USER ${USERNAME}
RUN echo 'eval "$(direnv hook zsh)"' >> ~/.zshrc && \
    git config --global alias.lg "log --graph --pretty=format:'%h %s'"
ENV EDITOR=vim PROMPT_COMMAND='history -a; $PROMPT_COMMAND'
