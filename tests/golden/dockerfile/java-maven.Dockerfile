from maven:3.9-eclipse-temurin-21 as build
workdir /workspace
copy pom.xml .
run mvn -B -q dependency:go-offline
copy src src
run mvn -B -q package -DskipTests && \
    java -Djarmode=layertools -jar target/*.jar extract --destination target/extracted

from eclipse-temurin:21-jre
arg EXTRACTED=/workspace/target/extracted
copy --from=build ${EXTRACTED}/dependencies/ ./
copy --from=build ${EXTRACTED}/application/ ./
env JAVA_OPTS="-Xms256m -Xmx512m" SPRING_PROFILES_ACTIVE=prod
expose 8080/tcp 9090
entrypoint exec java $JAVA_OPTS org.springframework.boot.loader.JarLauncher
